"""Blocking: the twins for programs without an event loop.

The loop runs in a thread of its own, so sampling, time-outs and downloads go on between two pulls. uvloop is used where
it is installed, because here the loop is brim's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self, TypeVar

import pyarrow as pa
from anyio.from_thread import BlockingPortal

from brim.errors import PlanError
from brim.pipeline.batches import Batches
from brim.pipeline.own_loop import own_loop
from brim.pipeline.report import Report

T = TypeVar("T")


def block_on(name: str, function: Callable[..., Awaitable[T]], *arguments: Any) -> T:
    """`await function(*arguments)` in a loop of its own; Ctrl-C cancels it and waits for its end."""
    refuse_in_loop(name)
    with own_loop() as portal:
        return portal.call(function, *arguments)


def refuse_in_loop(name: str) -> None:
    """Raise `PlanError` inside a running event loop, which a blocking call would hold up."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise PlanError(f"{name}_blocking would hold up the running event loop; await {name}(...) instead")


class BlockingBatches:
    """The record batches of a run, in order; ``with`` around ``for``."""

    def __init__(self, open_stream: Callable[[], Batches]) -> None:
        self._open_stream = open_stream
        self._stack = ExitStack()
        self._portal: BlockingPortal | None = None
        self._batches: Batches | None = None

    @property
    def report(self) -> Report:
        """What the run has done so far, or in all when it has ended."""
        batches = self._opened()
        return batches.report if self._portal is None else self._portal.call(_report_of, batches)

    @property
    def schema(self) -> pa.Schema:
        """The schema of every batch."""
        return self._opened().schema

    def __enter__(self) -> Self:
        refuse_in_loop("stream")
        self._portal = self._stack.enter_context(own_loop())
        try:
            self._batches = self._portal.call(self._make)
            self._stack.enter_context(self._portal.wrap_async_context_manager(self._batches))
        except BaseException as error:  # Ctrl-C too: what was begun in the portal is cancelled, not waited for
            self._stack.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._stack.__exit__(kind, error, trace)
        finally:
            self._portal = None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> pa.RecordBatch:
        batches, portal = self._opened(), self._portal
        batch = None if portal is None else portal.call(_next_or_none, batches)
        if batch is None:
            raise StopIteration
        return batch

    async def _make(self) -> Batches:
        return self._open_stream()

    def _opened(self) -> Batches:
        if self._batches is None:
            raise PlanError("open the stream first: `with pipeline.stream_blocking() as batches`")
        return self._batches


async def _report_of(batches: Batches) -> Report:
    return batches.report


async def _next_or_none(batches: Batches) -> pa.RecordBatch | None:
    return await anext(batches, None)
