"""Outlast: wait for an end whatever cancels the waiting task meanwhile; the cancellation goes on when it has come.

A shielded anyio scope keeps anyio's own cancellations out; asyncio's native ones (`Task.cancel`, `asyncio.timeout`)
reach a task inside it all the same.
"""

from __future__ import annotations

import asyncio

import anyio


async def outlast(event: anyio.Event | asyncio.Event) -> None:
    """Return, or raise the cancellation that came meanwhile, when `event` is set."""
    cancelled: asyncio.CancelledError | None = None
    with anyio.CancelScope(shield=True):
        while not event.is_set():
            try:
                await event.wait()
            except asyncio.CancelledError as error:
                cancelled = error
    if cancelled is not None:
        raise cancelled
