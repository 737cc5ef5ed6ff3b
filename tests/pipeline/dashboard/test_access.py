"""Who may look: the decisions, without a server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brim.errors import PlanError
from brim.pipeline.dashboard.access import LOOPBACK_HOSTS, TOKEN_MIN, access, host_name, is_foreign, is_loopback

TOKEN = "a-token-of-some-length"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8787", "localhost", "LOCALHOST:1", "[::1]:8787", "localhost."]
)
def test_the_loopback_is_known_by_its_names(host):
    assert access(None, LOOPBACK_HOSTS).knows_host([host])


@pytest.mark.parametrize(
    "hosts",
    [
        [], [""], ["evil.example"], ["127.0.0.1.evil.example"], ["127.0.0.1", "127.0.0.1"], ["evil.example, 127.0.0.1"],
        ["evil@127.0.0.1"], ["127.0.0.1/@evil.example"], ["127.0.0.1:port"], ["127.0.0.1#x"], ["[::1"], ["127.0.0.1?"],
        ["2130706433"], ["127.1"], [" 127.0.0.1"], ["127.0.0.1\\@evil"], ["0.0.0.0"],
    ],
)  # fmt: skip
def test_other_hosts_are_not(hosts):
    assert not access(None, LOOPBACK_HOSTS).knows_host(hosts)


@given(st.text(max_size=30))
def test_no_header_breaks_it(text):
    known = access(TOKEN, LOOPBACK_HOSTS)
    known.knows_host([text])
    assert known.takes_token(text) == (text == TOKEN)
    assert not known.takes_cookie(text)
    is_foreign({"Host": text, "Origin": text})
    is_loopback(text)


def test_names_of_others_need_a_token():
    with pytest.raises(PlanError, match=r"brim\.example needs a token"):
        access(None, ["brim.example", "127.0.0.1"])
    assert access(TOKEN, ["brim.example"]).knows_host(["brim.example:80"])


@pytest.mark.parametrize("token", ["", "x" * (TOKEN_MIN - 1)])
def test_a_short_token_is_refused(token):
    with pytest.raises(PlanError, match="16 characters"):
        access(token, LOOPBACK_HOSTS)


def test_the_cookie_is_not_the_token_and_is_another_for_another_token():
    one, other = access(TOKEN, LOOPBACK_HOSTS), access(f"{TOKEN}!", LOOPBACK_HOSTS)
    assert TOKEN not in one.cookie + one.cookie_name
    assert len({one.cookie, other.cookie, one.cookie_name, other.cookie_name}) == 4
    assert one.takes_cookie(access(TOKEN, LOOPBACK_HOSTS).cookie)
    assert not one.takes_cookie(other.cookie)
    assert not access(None, LOOPBACK_HOSTS).takes_cookie(access(None, LOOPBACK_HOSTS).cookie)


@pytest.mark.parametrize(
    ("headers", "foreign"),
    [
        ({}, False),
        ({"Sec-Fetch-Site": "same-origin"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, True),
        ({"Sec-Fetch-Site": "same-site"}, True),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, True),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"}, True),
        ({"Origin": "http://127.0.0.1:8787"}, False),
        ({"Origin": "http://127.0.0.1:9999"}, True),
        ({"Origin": "http://evil.example"}, True),
        ({"Origin": "null"}, True),
        ({"Origin": ""}, True),
        ({"Origin": "http://["}, True),
    ],
)
def test_pages_of_other_sites_are_told_by_what_browsers_say(headers, foreign):
    assert is_foreign({"Host": "127.0.0.1:8787", **headers}) is foreign


def test_an_address_is_loopback_or_not():
    assert is_loopback("::ffff:127.0.0.1")
    assert is_loopback("127.8.9.10")
    assert not is_loopback("::ffff:10.0.0.1")
    assert host_name("[::1%25eth0]:80") != "::1"
