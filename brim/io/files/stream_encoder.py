"""Stream encoder: a file that a writer of pyarrow fills batch by batch, for formats that gather nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa


@dataclass(eq=False, slots=True)
class StreamEncoder:
    """One file: `writer` (CSV or IPC) over `file`."""

    file: Any
    writer: Any
    gathered_bytes: int = 0

    @property
    def written_bytes(self) -> int:
        return int(self.file.tell())

    def write(self, batch: pa.RecordBatch) -> None:
        self.writer.write_batch(batch)

    def group(self) -> None:
        """Batches are written at once."""

    def close(self) -> None:
        self.writer.close()
        self.file.close()

    def abandon(self) -> None:
        self.file.close()
