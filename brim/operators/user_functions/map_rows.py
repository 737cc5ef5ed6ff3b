"""MapRows: a column made by a user function of one row's Python values.

Input    batches of any size; in processes and threads a batch is shared by all calls that may be under way
Output   the columns of `schema`, of which `output` is what the function returned
Order    kept
Holds    the batch just read, and for each call under way its arguments once more and its output; the second and
         further calls on loan
Fails    with UdfError and its kinds, or WorkerDied; where `on_error` is not "raise" a row that fails costs only itself,
         unless it takes its worker with it, when the rows called with it may be called again
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
class MapRows:
    """Call `function` on the values of the columns `arguments`, row by row."""

    function: UserFunction
    arguments: tuple[str, ...]
    output: str
    schema: pa.Schema
    dead_letters: DeadLetters | None = None

    def window_bytes(self, batch_bytes: int) -> int:
        return 2 * batch_bytes

    def floor_bytes(self, batch_bytes: int) -> int:
        return batch_bytes + self.window_bytes(batch_bytes)

    async def run(self, inboxes: Sequence[Inbox], outbox: Outbox, stage: Stage) -> None:
        calls = ColumnCalls(self.function, self.arguments, self.output, self.schema, self.dead_letters)
        await calls.run(inboxes, outbox, stage, spread=self.function.backend != "async")
