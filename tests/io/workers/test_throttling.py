"""What errors of all kinds of clients say about when to call again; none of them can do harm while they are read."""

import urllib.error
from datetime import UTC, datetime, timedelta
from email.message import Message

import pytest
import requests
from aiohttp import ClientResponseError
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from brim.errors import UdfError
from brim.io.workers.throttling import LONGEST_S, Wish, wish_of

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
DATE, LATER = "Thu, 01 Jan 2026 12:00:00 GMT", "Thu, 01 Jan 2026 12:00:30 GMT"


class Answer:
    def __init__(self, status, headers):
        self.status_code = status
        self.headers = headers


class StatusError(Exception):
    """As httpx and the clients built on it have it."""

    def __init__(self, response, **more):
        super().__init__("no")
        self.response = response
        for name, value in more.items():
            setattr(self, name, value)


def of_aiohttp(status, **headers):
    named = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    return ClientResponseError(None, (), status=status, headers=CIMultiDictProxy(named))


def of_requests(status, **headers):
    response = requests.Response()
    response.status_code = status
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return requests.HTTPError("no", response=response)


def of_urllib(status, **headers):
    message = Message()
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    return urllib.error.HTTPError("http://x", status, "no", message, None)


def of_httpx(status, **headers):
    return StatusError(Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}))


@pytest.mark.parametrize("made", [of_aiohttp, of_requests, of_urllib, of_httpx])
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": "0"}, 0.0),
        ({"retry_after": "1.5"}, 1.5),
        ({"retry_after": LATER}, 30.0),
        ({"retry_after": LATER, "date": LATER}, 0.0),
        ({"retry_after_ms": "250", "retry_after": "9"}, 0.25),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "-5"}, None),
        ({"x_ratelimit_reset": "1767268800"}, None),
        ({}, None),
    ],
)
def test_headers_say_when(made, headers, seconds):
    assert wish_of(made(429, **headers), NOW) == Wish(seconds)


def test_plain_dictionaries_are_read_in_both_spellings():
    assert wish_of(StatusError(Answer(429, {"Retry-After": "3"})), NOW) == Wish(3.0)
    assert wish_of(StatusError(Answer(429, {"retry-after": "3"})), NOW) == Wish(3.0)


@pytest.mark.parametrize(
    ("status", "wish"), [(503, Wish(None)), (529, Wish(None)), (500, None), (404, None), (200, None)]
)
def test_a_status_without_a_time_asks_for_less_only_where_it_means_that(status, wish):
    assert wish_of(of_aiohttp(status), NOW) == wish
    assert wish_of(of_httpx(status), NOW) == wish


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(2, 2.0), (0.5, 0.5), ("4", 4.0), (timedelta(minutes=1), 60.0), (True, None), (-1, None), (float("nan"), None)]
    + [(value, LONGEST_S) for value in (10**400, float("inf"), "9" * 12)],
)
def test_the_error_itself_may_have_the_seconds(value, seconds):
    assert wish_of(StatusError(None, retry_after=value, status=429), NOW) == Wish(seconds)


def test_causes_are_followed_and_contexts_are_not():
    told = of_aiohttp(429, retry_after="7")
    wrapped, handled = ValueError("wrapped"), ValueError("of a handler's own")
    wrapped.__cause__ = handled.__context__ = told
    assert wish_of(wrapped, NOW) == Wish(7.0)
    assert wish_of(handled, NOW) is None
    assert wish_of(UdfError("f", "no"), NOW) is None


def test_a_group_wishes_the_longest_and_tells_whether_something_else_went_wrong():
    told, later = of_aiohttp(429, retry_after="7"), of_httpx(503, retry_after="9")
    assert wish_of(ExceptionGroup("x", [told, ExceptionGroup("y", [later])]), NOW) == Wish(9.0)
    assert wish_of(ExceptionGroup("x", [told, ValueError("bad")]), NOW) == Wish(7.0, alone=False)
    assert wish_of(ExceptionGroup("x", [ValueError("bad")]), NOW) is None


def test_an_error_in_a_circle_of_causes_is_read_once():
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    assert wish_of(one, NOW) is None


class Hostile(Exception):
    @property
    def retry_after(self):
        raise RuntimeError("no")

    @property
    def response(self):
        raise KeyError("no")

    @property
    def headers(self):
        return self

    def get(self, name):
        raise OSError(name)

    status = "429"


def test_an_error_that_raises_when_it_is_read_says_nothing():
    assert wish_of(Hostile(), NOW) is None


anything = st.one_of(st.none(), st.integers(), st.floats(), st.text(), st.binary(), st.lists(st.integers()))


@given(anything, anything, st.dictionaries(st.sampled_from(["Retry-After", "retry-after-ms", "Date"]), anything))
def test_whatever_stands_there_is_a_time_or_nothing(own, status, headers):
    wish = wish_of(StatusError(Answer(status, headers), retry_after=own), NOW)
    assert wish is None or wish.seconds is None or 0 <= wish.seconds <= LONGEST_S
