"""Dead letters: where the rows that failed are kept. The planner gives an operator the place; `io/` writes there."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

import pyarrow as pa

from brim.operators.protocol import Stage


class Letters(Protocol):
    """Takes the failed rows of one run of one stage."""

    async def keep(self, rows: pa.RecordBatch) -> None:
        """Keep `rows`: the input's columns, then the error, its traceback and the signal of a death, as text."""


class DeadLetters(Protocol):
    """A place for failed rows."""

    def open(self, name: str, stage: Stage) -> AbstractAsyncContextManager[Letters]:
        """Take the failed rows of function `name`; they appear together when the block is left, if there are any."""
