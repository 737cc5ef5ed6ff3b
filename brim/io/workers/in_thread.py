"""Calls in threads of the engine: nothing is copied, the GIL is shared.

A class is built once for each call that is under way at the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from brim.operators.protocol import Stage
from brim.operators.user_functions.apply_function import Applied
from brim.operators.user_functions.piece import Piece
from brim.operators.user_functions.raised import raised
from brim.operators.user_functions.user_function import UserFunction


@dataclass(eq=False, slots=True)
class ThreadCaller:
    """Calls of one stage, at most `window` at once because that many are opened; instances are used again."""

    function: UserFunction
    stage: Stage
    _free: list[Callable[..., Any]] = field(default_factory=list)

    @property
    def window(self) -> int:
        threads = self.stage.threads.count
        return min(self.function.concurrency or threads, threads)

    def call(self, batch: pa.RecordBatch, work_bytes: int = 0, *, alone: bool = False) -> ThreadCall:  # noqa: ARG002 - is not measured here
        return ThreadCall(self, batch)

    def build(self) -> Callable[..., Any]:
        """An instance that is free, or a new one. Runs in a thread; lists are safe there."""
        if self._free:
            return self._free.pop()
        try:
            return self.function.build()
        except Exception as error:
            raise raised(self.function.name, error) from error

    def give_back(self, called: Callable[..., Any]) -> None:
        self._free.append(called)


@dataclass(eq=False, slots=True)
class ThreadCall:
    """One call."""

    caller: ThreadCaller
    batch: pa.RecordBatch
    _called: Callable[..., Any] | None = None
    _pieces: Iterator[Piece] | None = None

    async def next_piece(self) -> Piece | None:
        stage = self.caller.stage
        return await stage.threads.run(self._next)

    def _next(self) -> Piece | None:
        if self._pieces is None:
            self._called = self.caller.build()
            applied = Applied(self.caller.function, self._called)
            self._pieces = applied.pieces(self.batch, self.caller.stage.batch_bytes)
        piece = None
        try:
            piece = next(self._pieces, None)
        finally:
            if (piece is None or self.caller.function.kind != "batch") and self._called is not None:
                self.caller.give_back(self._called)
                self._called = None
        return piece
