"""Piece: a part of what one call of a user function made. Apart from the protocol, which workers do not load."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of what one call of a user function made.

    `failed` has a record for each row without a result: `row` (its place in the batch of the call), `error`,
    `traceback`, `signal`; None where all is well. `work_bytes` is the most that making it took in a worker process
    beyond what that held before, None where it was not measured. `last` says that it is known that no other follows.
    """

    batch: pa.RecordBatch
    failed: pa.RecordBatch | None = None
    work_bytes: int | None = None
    last: bool = False
