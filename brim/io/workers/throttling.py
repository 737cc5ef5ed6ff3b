"""Throttling: what an error of a user's function says about when its service wants to be called again.

Read by shape, so that no client library is imported: the seconds in `retry_after` of the error, else the headers
`retry-after-ms` and `Retry-After` in `headers` of the error or of its `response`, else a status that asks for less.
That fits aiohttp, httpx, requests, urllib and the clients built on them. Errors are followed to their causes, groups to
their members. Headers that say when a quota is full again (`x-ratelimit-reset` and its like) are not read: that is no
wish to wait so long, and services disagree on their units. Pure; nothing an error does while it is read is let out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from brim.io.transfers.retry_after import retry_after_s

TOO_MANY = frozenset({429, 503, 529})  # 529 is what some services answer when they are overloaded
CAUSES_MOST, MEMBERS_MOST = 8, 1000
LONGEST_S = 1e9  # whatever is longer means the same: not in this run
_DECIMAL = re.compile(r"\d{1,12}(?:\.\d{1,12})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Wish:
    """To be left alone for `seconds`, None where no time is named; `alone` where nothing else went wrong beside it."""

    seconds: float | None
    alone: bool = True


def wish_of(error: BaseException, now: datetime) -> Wish | None:
    """What `error` says its service wishes, None where it says nothing of the kind. Of a group the longest wish.

    `now` is the time of day, for a Retry-After that is a date where the answer has no date of its own.

    >>> error = OSError("slow down")
    >>> error.status, error.headers = 429, {"Retry-After": "30"}
    >>> wish_of(error, datetime(2026, 1, 1))
    Wish(seconds=30.0, alone=True)
    """
    found = [_wish_of_one(leaf, now) for leaf in _leaves(error)]
    wishes = [wish for wish in found if wish is not None]
    if not wishes:
        return None
    times = [wish.seconds for wish in wishes if wish.seconds is not None]
    return Wish(max(times, default=None), alone=len(wishes) == len(found))


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors of a group, at most so many; else the error."""
    rest, given = [error], 0
    while rest and given < MEMBERS_MOST:
        one = rest.pop()
        if isinstance(one, BaseExceptionGroup):
            rest.extend(one.exceptions)
        else:
            given += 1
            yield one


def _wish_of_one(error: BaseException, now: datetime) -> Wish | None:
    link: BaseException | None = error
    for _ in range(CAUSES_MOST):
        if link is None:
            break
        response = _attribute(link, "response")
        times = (_seconds(_attribute(link, "retry_after"), now), _named(link, now), _named(response, now))
        seconds = next((seconds for seconds in times if seconds is not None), None)
        if seconds is not None or _status(link) in TOO_MANY or _status(response) in TOO_MANY:
            return Wish(seconds)
        link = link.__cause__
    return None


def _named(answer: Any, now: datetime) -> float | None:
    """The seconds in the headers of `answer`."""
    headers = _attribute(answer, "headers")
    milliseconds = _seconds(_header(headers, "retry-after-ms"), now)
    if milliseconds is not None:
        return milliseconds / 1000
    return _seconds(_header(headers, "Retry-After"), now, _header(headers, "Date"))


def _seconds(value: Any, now: datetime, date: Any = None) -> float | None:
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(min(value, LONGEST_S)) if value >= 0 else None
    if not isinstance(value, str):
        return None
    if _DECIMAL.fullmatch(value.strip()):
        return min(float(value), LONGEST_S)
    return retry_after_s(value, date if isinstance(date, str) else None, now)


def _status(answer: Any) -> int | None:
    for name in ("status", "status_code", "code"):
        value = _attribute(answer, name)
        if isinstance(value, int):
            return value
    return None


def _header(headers: Any, name: str) -> Any:
    """By name as it is written, or in small letters: plain dictionaries tell them apart."""
    get = _attribute(headers, "get")
    for spelling in (name, name.lower()):
        try:
            value = get(spelling)
        except Exception:  # noqa: BLE001 - whatever stands there is not ours, and may not be headers at all
            return None
        if value is not None:
            return value
    return None


def _attribute(thing: Any, name: str) -> Any:
    try:
        return getattr(thing, name, None)
    except Exception:  # noqa: BLE001 - a property of an object that is not ours
        return None
