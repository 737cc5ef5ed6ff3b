"""A task that is cancelled lets go of what it held."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Awaitable, Callable
from traceback import clear_frames
from typing import TypeVarTuple

A = TypeVarTuple("A")


async def lightly(function: Callable[[*A], Awaitable[object]], *arguments: *A) -> None:
    """Await `function(*arguments)`; to be the function of a task in a task group.

    A task group notes how each of its tasks ended, in a frame that the error's traceback knows: a cycle, in which lie
    all frames that a cancellation went through, with the batches and the run they refer to, until the garbage collector
    finds it. Where clients leave, that is megabytes for each, of which no ledger knows. So the frames are emptied.
    """
    call = function(*arguments)
    del function, arguments
    try:
        await call
    except CancelledError as error:
        seen: BaseException | None = error
        while seen is not None:
            clear_frames(seen.__traceback__)
            seen = seen.__context__
        raise
