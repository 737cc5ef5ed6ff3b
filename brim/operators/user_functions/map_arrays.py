"""MapArrays: a column made by a user function of Arrow arrays, in worker processes, threads or on the loop.

Input    batches of any size; with `batch_size` gathered and cut to at most that many rows a call
Output   the columns of `schema`, of which `output` is what the function returned
Order    kept
Holds    what is gathered, the batch just read, and for each call under way its arguments once more and its output; the
         second and further calls on loan
Fails    with UdfError and its kinds, or WorkerDied; where `on_error` is not "raise", or where the worker dies or lacks
         memory, a failing batch is halved until the row is found, so the function may see a row again
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from brim.operators.protocol import Inbox, Outbox, Stage
from brim.operators.user_functions.column_calls import ColumnCalls
from brim.operators.user_functions.dead_letters import DeadLetters
from brim.operators.user_functions.user_function import UserFunction


@dataclass(frozen=True, slots=True)
class MapArrays:
    """Call `function` on the columns `arguments`."""

    function: UserFunction
    arguments: tuple[str, ...]
    output: str
    schema: pa.Schema
    dead_letters: DeadLetters | None = None

    def window_bytes(self, batch_bytes: int) -> int:
        return 2 * batch_bytes

    def floor_bytes(self, batch_bytes: int) -> int:
        gathered = batch_bytes if self.function.batch_size is not None else 0
        return batch_bytes + gathered + self.window_bytes(batch_bytes)

    async def run(self, inboxes: Sequence[Inbox], outbox: Outbox, stage: Stage) -> None:
        calls = ColumnCalls(self.function, self.arguments, self.output, self.schema, self.dead_letters)
        await calls.run(inboxes, outbox, stage)
