"""Beside: tasks that run for as long as a block, and end with it quietly."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio

from brim.operators.lightly import lightly


@asynccontextmanager
async def beside(*functions: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
    """Run `functions`, which go on for ever, until the block ends. An error of one of them ends the block too.

    Each ends in a scope of its own. A task that dies of its cancellation lies in a reference cycle with its frames and
    all that these refer to, a run with its plan and what it holds, until the garbage collector finds it.
    """
    scopes = [anyio.CancelScope() for _ in functions]

    async def run(function: Callable[[], Awaitable[object]], scope: anyio.CancelScope) -> None:
        with scope:
            await function()

    async with anyio.create_task_group() as tasks:
        for function, scope in zip(functions, scopes, strict=True):
            tasks.start_soon(lightly, run, function, scope)
        try:
            yield
        finally:
            for scope in scopes:
                scope.cancel()
