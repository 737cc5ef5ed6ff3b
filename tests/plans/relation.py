"""Relation: a pipeline, and the rows it must make, in a table of DuckDB's."""

from __future__ import annotations

from dataclasses import dataclass, replace

import duckdb
import pyarrow as pa

import brim

from .kinds import Kind
from .tables import ORDER, Col


@dataclass(frozen=True)
class Relation:
    """Rows as brim and as DuckDB make them.

    Attributes:
        pipeline: of brim's.
        table: DuckDB's.
        columns: their kinds, in order.
        rows: how many.
        said: what was done, in words, for people.
        ordered: the order is known, and in DuckDB's column `ORDER`.
        keys: where it is not: columns that order the rows, rows that are equal in them being in any order, each with
            whether it descends and whether nulls come first.
        most: where it is not None: brim makes so many of these rows, any of them.
        weight: bytes of the sources.
    """

    con: duckdb.DuckDBPyConnection
    pipeline: brim.Pipeline
    table: str
    columns: tuple[Col, ...]
    rows: int
    said: tuple[str, ...]
    ordered: bool = True
    keys: tuple[Col, ...] = ()
    most: int | None = None
    weight: int = 0

    def made(
        self, pipeline: brim.Pipeline, query: str, columns: tuple[Col, ...], said: str, **changes: object
    ) -> Relation:
        """What `pipeline` makes, whose rows DuckDB finds by `query`."""
        name = f"t{next_number(self.con)}"
        try:
            self.con.execute(f'CREATE TEMP TABLE "{name}" AS {query}')
        except duckdb.Error as error:
            raise AssertionError(f"the oracle cannot say it: {query}") from error
        (rows,) = self.con.execute(f'SELECT count(*) FROM "{name}"').fetchall()[0]
        found = Relation(
            self.con, pipeline, name, columns, rows, (*self.said, f"{said} → {rows} rows"), weight=self.weight
        )
        return replace(found, **changes)

    def named(self, name: str) -> Kind:
        return next(column.kind for column in self.columns if column.name == name)

    def longest(self) -> int:
        """How many values the longest list has that was gathered."""
        lists = [f"max(len({column.sql}))" for column in self.columns if column.kind.of is not None]
        found = self.con.execute(f'SELECT {", ".join(lists)} FROM "{self.table}"').fetchall()[0] if lists else ()
        return max([1, *(length or 1 for length in found)])

    def list(self, columns: tuple[Col, ...] | None = None, prefix: str = "") -> str:
        """Columns in SQL, without the order."""
        return ", ".join(prefix + column.sql for column in (self.columns if columns is None else columns))

    def expected(self) -> pa.Table:
        """The rows, in their order where it is known."""
        return self.con.sql(f'SELECT {self.list()} FROM "{self.table}" ORDER BY "{ORDER}"').to_arrow_table()


def next_number(con: duckdb.DuckDBPyConnection) -> int:
    """How many tables there are."""
    return con.execute("SELECT count(*) FROM duckdb_tables() WHERE temporary").fetchall()[0][0]
