"""A worker that takes messages from an async queue and writes rolling Parquet files: by rows, or by time.

Each file is one run: its source ends when the file is full or due, and the file appears whole or not at all. Messages
are done once their file is there, so a broker that is told then loses none. The pipeline asks for a message only when
it has room for one more: a queue with a bound pushes back on producers. SIGTERM: the file under way is written, then it
ends; the rest stays in the queue.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pyarrow as pa

import brim
from brim import col

SCHEMA = pa.schema([("sensor", pa.string()), ("celsius", pa.float64())])
Message = list[dict[str, Any]]
Messages = asyncio.Queue[Message | None]


@dataclass
class Consumer:
    """Files of about `rows` rows, fewer when the first row would wait for longer than `seconds`."""

    queue: Messages
    folder: Path
    rows: int = 10_000
    seconds: float = 60.0
    taken: int = 0
    ended: bool = False
    _waits: anyio.CancelScope = field(default_factory=anyio.CancelScope)

    def end(self) -> None:
        """Take no more messages; `consume` returns when those it has are written."""
        self.ended = True
        self._waits.cancel()

    async def consume(self, engine: brim.Engine) -> None:
        """Write files until the queue has ended; the last has the rest."""
        while (first := await self._next()) is not None:
            rows = brim.from_batches(self._batches(first), SCHEMA).with_columns(fahrenheit=col("celsius") * 1.8 + 32)
            report = await engine.run(rows.write_parquet(self.folder, mode="append"))
            print(f"a file of {self.taken} messages, {report.operators[-1].rows_in:,} rows", flush=True)
            for _ in range(self.taken):
                self.queue.task_done()
            self.taken = 0

    async def _batches(self, message: Message | None) -> AsyncIterator[pa.RecordBatch]:
        """The rows of one file."""
        rows, due = 0, anyio.current_time() + self.seconds
        while message is not None:
            rows += len(message)
            yield pa.RecordBatch.from_pylist(message, schema=SCHEMA)
            message = await self._next(due) if rows < self.rows else None

    async def _next(self, due: float = float("inf")) -> Message | None:
        """The next message; None at the end, and when none comes before `due`."""
        with anyio.move_on_at(due) as self._waits:
            if not self.ended:
                message = await self.queue.get()
                if message is not None:
                    self.taken += 1
                    return message
                self.queue.task_done()
                self.ended = True
        return None


async def measure(queue: Messages) -> None:
    """Stands for a broker: some messages, then None for the end."""
    for number in range(250):
        await queue.put([{"sensor": f"s{number % 5}", "celsius": 20.0 + row % 7} for row in range(100)])
    await queue.put(None)


async def main() -> None:
    consumer = Consumer(asyncio.Queue(maxsize=16), Path("measured"))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, consumer.end)
    async with brim.Engine(memory="128MiB", max_runs=1) as engine, asyncio.TaskGroup() as tasks:
        producer = tasks.create_task(measure(consumer.queue))
        await consumer.consume(engine)
        producer.cancel()
    print(f"{len(list(consumer.folder.glob('*.parquet')))} files")


if __name__ == "__main__":
    asyncio.run(main())
