"""A cancellation that nobody asked for: code of the user's raised it."""

from __future__ import annotations

import asyncio


def is_its_own(error: BaseException) -> bool:
    """Whether `error` is a cancellation that nobody asked the current task for: code of the user's let it out.

    Task groups take it for an ordinary end, so it must not get as far as that: rows would be missing and nobody told.
    """
    if not isinstance(error, asyncio.CancelledError):
        return False
    task = asyncio.current_task()
    return task is not None and not task.cancelling()
