"""Tables: rows drawn by seed, with nulls, duplicates and skew, as a source of brim's and as a table of DuckDB's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from pyarrow import parquet

import brim

from .kinds import Kind

MOST_BATCHES = 60
ORDER = "__order"
"""DuckDB's column with the place of each row."""


@dataclass(frozen=True)
class Col:
    """A column of a relation."""

    name: str
    kind: Kind

    @property
    def sql(self) -> str:
        return f'"{self.name}"'


@dataclass(frozen=True)
class Drawn:
    """Columns and how many rows of them are drawn; `skew` is the share of the most frequent value."""

    columns: tuple[Col, ...]
    rows: int
    nulls: tuple[float, ...]
    skew: tuple[float, ...]


def draw_table(drawn: Drawn, seed: int) -> tuple[pa.Table, pa.Table]:
    """The rows for brim, and for DuckDB."""
    random, mine, theirs = np.random.default_rng(seed), {}, {}
    for column, nulls, skew in zip(drawn.columns, drawn.nulls, drawn.skew, strict=True):
        places = _places(random, drawn.rows, len(column.kind.values), skew)
        mask = random.random(drawn.rows) < nulls if len(column.kind.values) else np.ones(drawn.rows, bool)
        taken = pa.array(places, pa.int64(), mask=mask)
        mine[column.name] = column.kind.array.take(taken) if len(column.kind.values) else pa.nulls(drawn.rows)
        theirs[column.name] = mine[column.name] if column.kind.native else taken
    order = pa.array(np.arange(drawn.rows))
    return pa.table(mine, pa.schema([(c.name, c.kind.type) for c in drawn.columns])), pa.table({**theirs, ORDER: order})


def _places(random: Any, rows: int, values: int, skew: float) -> Any:
    places = random.integers(0, max(1, values), rows)
    return np.where(random.random(rows) < skew, int(random.integers(0, max(1, values))), places)


def source(table: pa.Table, random: Random, folder: Path, name: str, *, storable: bool) -> tuple[str, brim.Pipeline]:
    """How brim is given `table`, in words, and the pipeline that reads it."""
    match random.choice(["table", "table", "batches", "batches", "parquet" if storable else "chunks", "chunks"]):
        case "table":
            return "table", brim.from_arrow(table)
        case "chunks":
            return "chunks", brim.from_arrow(pa.Table.from_batches(_cut(table, random), table.schema))
        case "batches":
            return "batches", brim.from_batches(_cut(table, random), table.schema)
        case _:
            path = folder / f"{name}.parquet"
            parquet.write_table(table, path, row_group_size=random.choice([3, 100, 1_000, 100_000]))
            return "parquet", brim.read_parquet(path)


def _cut(table: pa.Table, random: Random) -> list[pa.RecordBatch]:
    """`table` in batches of odd sizes, some of them empty; they are slices of larger ones."""
    if table.num_rows == 0:
        return random.choice([[], table.to_batches(), table.schema.empty_table().to_batches()])
    (whole,) = table.combine_chunks().to_batches()
    sizes, start, batches = random.choice([[1, 2, 0, 3], [7, 50, 0], [333], [1000, 1]]), 0, []
    while start < len(whole):
        size = random.choice(sizes) if len(batches) < MOST_BATCHES else len(whole)
        batches.append(whole.slice(start, size))
        start += size
    return batches


def load(con: duckdb.DuckDBPyConnection, name: str, table: pa.Table) -> None:
    """Make a table of DuckDB's."""
    con.register("given", table)
    con.execute(f'CREATE TEMP TABLE "{name}" AS SELECT * FROM given')
    con.unregister("given")
