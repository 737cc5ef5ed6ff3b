"""A row group on its way into a file: encoded in memory, beside others, or straight into the file.

It is encoded as a Parquet file of its own, of which the first four bytes and the footer are taken off. So pyarrow's
writer, which knows one row group at a time, encodes as many at once as there are threads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from brim.io.parquet.joined_footer import LENGTH_BYTES, MAGIC

Take = Callable[[bytes], Any]


@dataclass(eq=False, slots=True)
class RowGroup:
    """Rows of `schema`, which are let go when they are encoded; `options` are those of `pq.ParquetWriter`."""

    schema: pa.Schema
    batches: list[pa.RecordBatch]
    options: dict[str, Any]
    _pieces: list[bytes] = field(default_factory=list)
    _footer: bytes = b""

    def encode(self) -> None:
        """Keep the encoded bytes. Blocking."""
        self._footer = self._encode(self._pieces.append)

    def write(self, take: Take) -> bytes:
        """Give the bytes of the row group to `take`, encoding them now if that was not done; its footer. Blocking."""
        if not self._footer:
            return self._encode(take)
        for piece in self._pieces:
            take(piece)
        self._pieces.clear()
        return self._footer

    def _encode(self, take: Take) -> bytes:
        table, body = pa.Table.from_batches(self.batches, schema=self.schema), _Body(take)
        self.batches.clear()
        with pq.ParquetWriter(body, self.schema, **self.options) as writer:
            writer.write_table(table, row_group_size=max(1, table.num_rows))
            body.footer = bytearray()
        return bytes(body.footer[: -LENGTH_BYTES - len(MAGIC)])


@dataclass(eq=False, slots=True)
class _Body:
    """A file for pyarrow that gives on what lies between the first bytes and the footer."""

    take: Take
    size: int = 0
    footer: bytearray | None = None
    closed: bool = False

    def write(self, data: bytes) -> int:
        self.size += len(data)
        if self.footer is not None:
            self.footer += data
        elif self.size > len(MAGIC):  # the first bytes are written by themselves
            self.take(data)
        return len(data)

    def tell(self) -> int:
        return self.size

    def flush(self) -> None:
        """Nothing is kept."""

    def writable(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True
