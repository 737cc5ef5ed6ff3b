"""An async queue as a source: a pipeline that takes messages as they come, until it is told that no more will.

The pipeline asks for a message only when it has room for one more, so a queue with a bound pushes back on producers.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pyarrow as pa

import brim
from brim import col

SCHEMA = pa.schema([("sensor", pa.string()), ("celsius", pa.float64())])
WARM = 24.0
Messages = asyncio.Queue[list[dict[str, Any]] | None]


async def measure(queue: Messages) -> None:
    """Stands for a broker: some messages, then None for the end."""
    for number in range(200):
        await queue.put([{"sensor": f"s{number % 5}", "celsius": 20.0 + number % 7}])
        await asyncio.sleep(0)
    await queue.put(None)


def source(queue: Messages) -> brim.Pipeline:
    async def batches() -> AsyncIterator[pa.RecordBatch]:
        while (messages := await queue.get()) is not None:
            yield pa.RecordBatch.from_pylist(messages, schema=SCHEMA)

    return brim.from_batches(batches, SCHEMA)


async def main() -> None:
    queue: Messages = asyncio.Queue(maxsize=16)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(measure(queue))
        warm = source(queue).filter(col("celsius") > WARM).with_columns(fahrenheit=col("celsius") * 1.8 + 32)
        table = await warm.collect(memory="128MiB")
    print(f"{table.num_rows} of 200 messages were warm, the last: {table.slice(table.num_rows - 1).to_pylist()[0]}")


if __name__ == "__main__":
    asyncio.run(main())
