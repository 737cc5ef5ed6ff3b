"""Streams: the rows of a case as plain arrays, and the batches made of them.

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
    arrays += [pa.array([f"sim://{value}" for value in rows.x.tolist()], pa.string())] if columns.url else []
    arrays += [pa.DictionaryArray.from_arrays(pa.array((rows.x % 64).astype(np.int8)), SHADES)] if columns.shade else []
    return pa.RecordBatch.from_arrays(arrays, schema=columns.schema)


def fat_array(x: np.ndarray, sizes: np.ndarray) -> pa.Array:
    offsets = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    data = np.repeat((x % 251).astype(np.uint8), sizes)
    return pa.Array.from_buffers(pa.large_binary(), len(sizes), [None, pa.py_buffer(offsets), pa.py_buffer(data)])


def read(batches: list[pa.RecordBatch], columns: Columns) -> tuple[Stream, bytes]:
    """The rows that came out, and all bytes of `fat`, with every row's dictionary value checked on the way."""
    table = pa.Table.from_batches(batches, columns.schema if not batches else batches[0].schema).combine_chunks()
    x = table["x"].to_numpy()
    fat = table["fat"].combine_chunks() if table.num_rows else pa.array([], pa.large_binary())
    fat = fat.chunk(0) if isinstance(fat, pa.ChunkedArray) else fat
    offsets = np.frombuffer(fat.buffers()[1], np.int64)[fat.offset :][: len(fat) + 1] if len(fat) else np.zeros(1, int)
    sizes = np.where(fat.is_valid().to_numpy(zero_copy_only=False), np.diff(offsets), NULL) if len(fat) else x
    payload = fat.buffers()[2] if len(fat) else None
    data = payload.to_pybytes()[offsets[0] : offsets[-1]] if payload is not None else b""
    y = table["y"].fill_null(NULL).to_numpy() if "y" in table.column_names else x
    if columns.shade and table.num_rows:
        assert (table["shade"].cast(pa.string()).to_pylist()) == [SHADES[int(v) % 64].as_py() for v in x]
    return Stream(x, sizes, y), data
