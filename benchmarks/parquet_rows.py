"""What is in Parquet files, a batch at a time: to tell whether two sets of rows are the same, whatever their order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

BATCH = 262_144
_FACTORS = tuple(map(np.uint64, (0x9E37_79B9_7F4A_7C15, 0xC2B2_AE3D_27D4_EB4F, 0xFF51_AFD7_ED55_8CCD)))


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """How many rows there are, and the sum of a hash of each: the same for the same rows in any order."""

    rows: int = 0
    hashes: int = 0

    def __add__(self, other: Fingerprint) -> Fingerprint:
        return Fingerprint(self.rows + other.rows, (self.hashes + other.hashes) % 2**64)


def files_in(folder: str | Path) -> list[Path]:
    """The Parquet files of a folder, by name."""
    return sorted(Path(folder).rglob("*.parquet"))


def batches_of(paths: Iterable[Path], columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Their rows, in order."""
    for path in paths:
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(BATCH, columns=columns)


def fingerprint(batch: pa.RecordBatch) -> Fingerprint:
    """Of `k`, `g` and `v`, the columns of `orders`; an AssertionError where `s` is not the key as a string."""
    key = batch["k"]
    as_text = pc.equal(batch["s"].cast(pa.string()), key.cast(pa.string()))
    assert pc.all(as_text, skip_nulls=False).as_py(), "a row whose s is not that of its k"
    first, second, third = _FACTORS
    mixed = key.to_numpy().view(np.uint64) * first + batch["g"].to_numpy().view(np.uint64) * second
    mixed += batch["v"].to_numpy().view(np.uint64)
    mixed ^= mixed >> np.uint64(32)
    mixed *= third
    mixed ^= mixed >> np.uint64(29)
    return Fingerprint(batch.num_rows, int(mixed.sum(dtype=np.uint64)))


def check_schema(paths: Iterable[Path], expected: dict[str, str]) -> None:
    """Names and types of the columns of every file; ``integer`` is any of them, ``string`` too."""
    for path in paths:
        found = {field.name: _kind(field.type, expected.get(field.name)) for field in pq.read_schema(path)}
        assert list(found.items()) == list(expected.items()), f"{path.name} has columns {found}"


def _kind(data_type: pa.DataType, expected: str | None) -> str:
    if pa.types.is_integer(data_type) and expected == "integer":
        return "integer"
    if any(test(data_type) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)):
        return "string"
    return str(data_type)
