"""Parquet footer: the schema of a file, the sizes of its column chunks, and what is known of their values.

Everything is asked for through here, because some of it must be checked first (see `parquet_guard`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from brim.io.files.corrupt_input import reading
from brim.io.files.open_file import file_size, open_input
from brim.io.parquet.parquet_guard import check_chunks, short_statistics
from brim.io.parquet.prune import Range


@dataclass(eq=False, slots=True)
class Footer:
    """The footer of a file of `size` bytes. Column chunks are asked for through `group` and `range`, which check."""

    path: str
    footer: Any
    schema: pa.Schema
    size: int
    _unsound: frozenset[tuple[int, int]] | None = None

    def group(self, index: int, leaves: Sequence[int]) -> Any:
        """The row group `index`, the chunks `leaves` of which are sound."""
        check_chunks(self.footer, self.size, index, leaves)
        return self.footer.row_group(index)

    def leaves(self, names: Sequence[str]) -> list[int]:
        """The leaf columns of the top-level columns `names`."""
        wanted = set(names)
        paths = self.footer.schema
        return [i for i in range(self.footer.num_columns) if _top(paths.column(i).path, wanted)]

    def range(self, index: int, name: str) -> Range:
        """What the statistics of the row group `index` say of a flat column."""
        indices = [i for i in range(self.footer.num_columns) if self.footer.schema.column(i).path == name]
        if len(indices) != 1 or name not in self.schema.names or not _ordered(self.schema.field(name).type):
            return Range()
        group = self.group(index, indices)
        statistics = group.column(indices[0]).statistics if self._is_sound(group, index, indices[0]) else None
        if statistics is None:
            return Range()
        nulls = statistics.null_count if statistics.has_null_count else None
        if not statistics.has_min_max:
            return Range(nulls=nulls, rows=group.num_rows)
        try:
            return Range(statistics.min, statistics.max, nulls, group.num_rows)
        except (ValueError, UnicodeError, pa.ArrowException):
            return Range(nulls=nulls, rows=group.num_rows)

    def _is_sound(self, group: Any, index: int, leaf: int) -> bool:
        """Whether statistics may be asked for."""
        if self._unsound is None:
            self._unsound = short_statistics(self.path, self.footer)
        same = group.column(leaf).physical_type == self.footer.schema.column(leaf).physical_type
        return same and (index, leaf) not in self._unsound


def _top(path: str, wanted: set[str]) -> bool:
    """Whether the leaf at `path` belongs to a wanted column; names may hold dots, so every prefix is tried."""
    parts = path.split(".")
    return any(".".join(parts[:length]) in wanted for length in range(1, len(parts) + 1))


def _ordered(kind: pa.DataType) -> bool:
    """Whether Python compares values of `kind` as Arrow does, to the last digit."""
    t = pa.types
    if t.is_timestamp(kind) or t.is_time(kind):
        return bool(kind.unit != "ns")
    plain = (t.is_integer, t.is_floating, t.is_boolean, t.is_string, t.is_large_string, t.is_decimal, t.is_date)
    return any(check(kind) for check in (*plain, t.is_binary, t.is_large_binary))


def open_footer(path: str) -> Footer:
    """Read the footer of `path`."""
    with reading(path, "footer"), pq.ParquetFile(open_input(path), pre_buffer=False, memory_map=False) as file:
        return Footer(path, file.metadata, file.schema_arrow, file_size(path))
