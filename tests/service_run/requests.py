"""What clients may ask for: a path, the pipeline behind it, and how to see that the answer is right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import brim
from brim import col

SMALL_ROWS, SMALL_ANSWER = 5_000, 300
KEYS = 100_000
LINES = 50_000
FILES = ("events", "people", "small")


def make_files(folder: Path, rows: int) -> None:
    """`events` with `rows` rows of about 50 bytes, `people` to join with, and a `small` one."""
    ids = np.random.default_rng(0).permutation(rows)
    names = pc.binary_join_element_wise("name", pa.array(ids).cast(pa.string()), "of somebody", "-")
    events = pa.table({"id": ids, "key": ids % KEYS, "value": ids * 0.5, "name": names})
    people = pa.table({"key": np.arange(KEYS), "team": np.arange(KEYS) % 100})
    small = pa.table({"id": np.arange(SMALL_ROWS), "name": [f"number {n}" for n in range(SMALL_ROWS)]})
    for name, table in zip(FILES, (events, people, small), strict=True):
        pq.write_table(table, folder / f"{name}.parquet", row_group_size=100_000)


@dataclass(frozen=True, slots=True)
class Request:
    """`pipeline` makes it from the folder and the number in the path; `check` says whether a table is the answer."""

    pipeline: Callable[[Path, int], brim.Pipeline]
    check: Callable[[pa.Table, int, int], bool]
    as_lines: bool = False


@cache
def _read(path: Path) -> brim.Pipeline:
    """A file that is always the same: its footer is looked at once."""
    return brim.read_parquet(path)


def _events(folder: Path) -> brim.Pipeline:
    return _read(folder / "events.parquet")


def _small(folder: Path, number: int) -> brim.Pipeline:
    wanted = (col("id") >= number) & (col("id") < number + SMALL_ANSWER)
    return _read(folder / "small.parquet").filter(wanted)


def _joined(folder: Path, _: int) -> brim.Pipeline:
    people = _read(folder / "people.parquet")
    return _events(folder).join(people, on="key").group_by("team").agg(rows=col("id").count(), sum=col("id").sum())


def _grouped(folder: Path, _: int) -> brim.Pipeline:
    return _events(folder).group_by("key").agg(rows=col("id").count(), longest=col("name").max())


def _is_sum_of_all(table: pa.Table, rows: int) -> bool:
    return pc.sum(table["rows"]).as_py() == rows


def _is_sorted(table: pa.Table, rows: int) -> bool:
    values = table["value"].to_numpy()
    return len(values) == rows and bool(np.all(values[1:] >= values[:-1]))


REQUESTS: dict[str, Request] = {
    "small": Request(
        _small,
        lambda table, _, number: table["id"].to_pylist() == list(range(number, number + SMALL_ANSWER)),
        as_lines=True,
    ),
    "sort": Request(lambda folder, _: _events(folder).sort("value"), lambda table, rows, _: _is_sorted(table, rows)),
    "join": Request(
        _joined,
        lambda table, rows, _: _is_sum_of_all(table, rows) and pc.sum(table["sum"]).as_py() == rows * (rows - 1) // 2,
    ),
    "lines": Request(
        lambda folder, _: _events(folder).limit(LINES).with_columns(half=col("value") / 2),
        lambda table, rows, _: table.num_rows == min(rows, LINES),
        as_lines=True,
    ),
    "group": Request(_grouped, lambda table, rows, _: _is_sum_of_all(table, rows)),
    "whole": Request(
        lambda folder, _: _events(folder),
        lambda table, rows, _: table.num_rows == rows and pc.sum(table["id"]).as_py() == rows * (rows - 1) // 2,
    ),
}
"""By the first part of the path."""

LARGE = tuple(name for name in REQUESTS if name != "small")


def table_of(name: str, body: bytes) -> Any:
    """The rows of an answer; `ValueError` where it is none."""
    if not REQUESTS[name].as_lines:
        return pa.ipc.open_stream(pa.py_buffer(body)).read_all()
    import orjson

    return pa.Table.from_pylist([orjson.loads(line) for line in body.splitlines()])
