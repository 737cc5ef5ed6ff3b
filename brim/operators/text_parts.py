"""TextParts: long texts in parts, where they are about to be split and exploded.

Input    batches with a column of texts
Output   the same batches, where texts are long as pieces of few bytes; a row whose text is longer than that as several
         rows, the other columns repeated, its text cut where the separator is (which is left out)
Order    kept
Holds    nothing: all pieces are slices
Fails    never
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import types

from brim.sizes import KIB

PART_BYTES = 512 * KIB  # lies in the processor's cache, with the words that come of it
PIECE_SHARE = 4  # words weigh up to five times their text, when all have one letter


@dataclass(frozen=True, slots=True)
class TextParts:
    """A stateless kernel: splitting the parts at `separator` gives the words of the texts, in order."""

    column: str
    separator: str

    def push(self, batch: pa.RecordBatch, piece_bytes: int) -> Iterator[pa.RecordBatch]:
        texts, place = batch.column(self.column), batch.schema.get_field_index(self.column)
        most = max(KIB, min(PART_BYTES, piece_bytes // PIECE_SHARE))
        if not _is_text(texts.type) or texts.nbytes <= most or _overlaps_itself(self.separator):
            yield batch
            return
        ends = _offsets(texts)
        row = 0
        while row < batch.num_rows:
            stop = max(row + 1, int(np.searchsorted(ends, ends[row] + most, side="right")) - 1)
            rows = batch.slice(row, stop - row)
            if stop > row + 1 or ends[row + 1] - ends[row] <= most:
                yield rows
            else:
                for start, end in self._parts(texts.buffers()[2], int(ends[row]), int(ends[row + 1]), most):
                    yield rows.set_column(place, batch.schema.field(place), _one(texts, start, end))
            row = stop

    def finish(self, piece_bytes: int) -> Iterator[pa.RecordBatch]:  # noqa: ARG002 - nothing is kept back
        return iter(())

    def _parts(self, data: pa.Buffer, start: int, end: int, most: int) -> Iterator[tuple[int, int]]:
        """Where the parts of the text from `start` to `end` lie; each has `most` bytes and the rest of a word."""
        separator, view = re.compile(re.escape(self.separator.encode())), memoryview(data)
        while end - start > most and (found := separator.search(view, start + most, end)) is not None:
            yield start, found.start()
            start = found.end()
        yield start, end


def _is_text(kind: pa.DataType) -> bool:
    return bool(types.is_string(kind) or types.is_large_string(kind))


def _offsets(texts: pa.Array) -> Any:
    width = 8 if types.is_large_string(texts.type) else 4
    return np.frombuffer(texts.buffers()[1], f"i{width}", len(texts) + 1, texts.offset * width)


def _one(texts: pa.Array, start: int, end: int) -> pa.Array:
    """The bytes from `start` to `end` as an array of one text."""
    offsets = np.array([start, end], "i8" if types.is_large_string(texts.type) else "i4")
    made = pa.LargeStringArray if types.is_large_string(texts.type) else pa.StringArray
    return made.from_buffers(1, pa.py_buffer(offsets), texts.buffers()[2])


def _overlaps_itself(separator: str) -> bool:
    """Whether an occurrence may begin within another, so that which ones count depends on where the text begins.

    >>> _overlaps_itself("aa"), _overlaps_itself("ab"), _overlaps_itself("aba")
    (True, False, True)
    """
    return any(separator.endswith(separator[:size]) for size in range(1, len(separator)))
