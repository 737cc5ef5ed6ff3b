"""Blocking: what a call in a thread waits for, told to the stage that made it.

A call that computes may wait in the middle of that, for a disk or for a store. From outside its thread looks busy, and
only who is about to wait knows better: it says so around the wait, wherever it is called from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from brim.events import Resource

T = TypeVar("T")
Told = Callable[[Resource], AbstractContextManager[None]]
"""What is entered while a call waits for a resource."""

_told: ContextVar[Told | None] = ContextVar("brim_blocking", default=None)


@contextmanager
def blocked_on(resource: Resource) -> Iterator[None]:
    """Around a wait inside a call in a thread; outside of one it says nothing to nobody."""
    if (told := _told.get()) is None:
        yield
    else:
        with told(resource):
            yield


def heard(told: Told, function: Callable[..., T], *arguments: Any) -> T:
    """`function(*arguments)`, whose waits are told to `told`."""
    token = _told.set(told)
    try:
        return function(*arguments)
    finally:
        _told.reset(token)
