"""Streams: the rows of a case as plain arrays, and the batches made of them.

What a source makes lies in Python's memory, so Arrow's counters tell what the library holds.
Every value can be told from `x`: a body or a `fat` value is the byte `x % 251` over and over, so that what comes out is
checked to the last byte against what a few lines of NumPy say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

NULL = -1
SHADES = pa.array([f"shade {number:03} " + "·" * 40 for number in range(64)])


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns the batches of a case have beside `x` and `fat`."""

    twin: bool = False  # `y`: the very buffer of `x`, until a user function makes it
    url: bool = False
    shade: bool = False  # a dictionary that all batches share

    @property
    def schema(self) -> pa.Schema:
        fields = [("x", pa.int64()), ("fat", pa.large_binary())]
        fields += [("y", pa.int64())] if self.twin else []
        fields += [("url", pa.string())] if self.url else []
        fields += [("shade", pa.dictionary(pa.int8(), pa.string()))] if self.shade else []
        return pa.schema(fields)

    @property
    def row_bytes(self) -> int:
        """What a row weighs beside its `fat` value, about."""
        return 16 + 9 * self.twin + 16 * self.url + self.shade


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """Rows: ids, sizes of their `fat` values, values of `y`; `NULL` for null."""

    x: np.ndarray
    fat: np.ndarray
    y: np.ndarray

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows) -> Stream:
        return Stream(self.x[rows], self.fat[rows], self.y[rows])

    @property
    def bytes(self) -> int:
        return int(self.fat.clip(0).sum()) + 40 * len(self)

    @property
    def heaviest(self) -> int:
        return int(self.fat.max(initial=0))

    def payload(self) -> bytes:
        return np.repeat((self.x % 251).astype(np.uint8), self.fat.clip(0)).tobytes()


def joined(streams) -> Stream:
    return Stream(*(np.concatenate([getattr(one, name) for one in streams]) for name in ("x", "fat", "y")))


def stream(first: int, sizes) -> Stream:
    x = np.arange(first, first + len(sizes), dtype=np.int64)
    return Stream(x, np.asarray(sizes, dtype=np.int64), x)


def batch_of(rows: Stream, columns: Columns) -> pa.RecordBatch:
    """The batch of `rows`; its `y` is the buffer of its `x`."""
    x = pa.array(rows.x)
    arrays = [x, fat_array(rows.x, rows.fat)]
    arrays += [x] if columns.twin else []
    arrays += [_urls(rows.x)] if columns.url else []
    arrays += [pa.DictionaryArray.from_arrays(pa.array((rows.x % 64).astype(np.int8)), SHADES)] if columns.shade else []
    return pa.RecordBatch.from_arrays(arrays, schema=columns.schema)


def _urls(x: np.ndarray) -> pa.Array:
    urls = [b"sim://%d" % value for value in x.tolist()]
    offsets = np.cumsum([0, *map(len, urls)], dtype=np.int32)
    return pa.Array.from_buffers(pa.string(), len(x), [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(urls))])


def fat_array(x: np.ndarray, sizes: np.ndarray) -> pa.Array:
    offsets = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    data = np.repeat((x % 251).astype(np.uint8), sizes)
    return pa.Array.from_buffers(pa.large_binary(), len(sizes), [None, pa.py_buffer(offsets), pa.py_buffer(data)])


def read(batch: pa.RecordBatch, columns: Columns) -> tuple[Stream, bytes]:
    """The rows of a batch that came out, copied, and all bytes of its `fat`; dictionary values are checked."""
    x, fat = batch["x"].to_numpy(), batch["fat"]
    offsets = np.frombuffer(fat.buffers()[1], np.int64)[fat.offset :][: len(fat) + 1]
    valid = fat.is_valid().to_numpy(zero_copy_only=False)
    payload = fat.buffers()[2]
    data = payload.to_pybytes()[offsets[0] : offsets[-1]] if payload is not None else b""
    y = batch["y"].fill_null(NULL).to_numpy() if columns.twin else x
    if columns.shade:
        assert batch["shade"].cast(pa.string()).to_pylist() == [SHADES[value % 64].as_py() for value in x.tolist()]
    return Stream(x.copy(), np.where(valid, np.diff(offsets), NULL), y.copy()), data
