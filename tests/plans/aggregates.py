"""Aggregates: of brim's, and the same in DuckDB's SQL."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import duckdb
import pyarrow as pa
from pyarrow import types

import brim
from brim import col

from .kinds import INT64, ROUGH, UINT64, Kind, list_of
from .predicates import Both
from .tables import ORDER, Col

MOST_SUM = 9e18
FEW_BITS = 32
WITH_ORDER = ("first", "last", "any_value", "list")

Overflows = Callable[[Col], bool]


def overflow_test(con: duckdb.DuckDBPyConnection, table: str) -> Overflows:
    """Whether a sum of a column of `table` may leave 64 bits."""

    def overflows(column: Col) -> bool:
        (total,) = con.execute(f'SELECT sum(abs(CAST({column.sql} AS DOUBLE))) FROM "{table}"').fetchall()[0]
        return (total or 0) > MOST_SUM

    return overflows


def aggregate(columns: tuple[Col, ...], random: Random, overflows: Overflows, *, ordered: bool) -> Both:
    """One aggregate of one of `columns`; those that follow the order of the rows only where they have one."""
    column = random.choice(columns)
    names = [name for name in takes(column.kind) if ordered or name not in WITH_ORDER]
    name = random.choice(names)
    if name in ("sum", "mean") and column.kind.is_integer and overflows(column):
        name = "count"
    return made(name, column)


def takes(kind: Kind) -> list[str]:
    """The aggregates that brim has for columns of `kind`, and DuckDB too."""
    names = ["len", "count", "first", "last", "any_value"] + ([] if kind.approximate else ["list"])
    if types.is_null(kind.type):
        return ["len", "count"]
    if kind.is_number or types.is_boolean(kind.type):
        names += ["sum", "mean"]
    if kind.is_number and not types.is_decimal(kind.type) and kind.type.bit_width <= FEW_BITS:
        names += ["std", "var"]
    if kind.sortable and not types.is_float16(kind.type):
        names += ["min", "max"]
    if not kind.approximate and not types.is_nested(kind.type) and not isinstance(kind.type, pa.BaseExtensionType):
        names += ["count_distinct"]
    return names


def made(name: str, column: Col) -> Both:
    """The aggregate `name` of `column`."""
    kind, sql = column.kind, column.sql
    mine = brim.len() if name == "len" else getattr(col(column.name), name)()
    order = f'ORDER BY "{ORDER}"'
    match name:
        case "len":
            return Both(mine, "count(*)", INT64)
        case "count":
            return Both(mine, f"count({sql})", INT64)
        case "count_distinct":
            return Both(mine, f"count(DISTINCT {sql})", INT64)
        case "first" | "last":
            return Both(mine, f"{name}({sql} {order})", kind)
        case "any_value":
            return Both(mine, f"first({sql} {order}) FILTER ({sql} IS NOT NULL)", kind)
        case "list":
            return Both(mine, f"coalesce(list({sql} {order}), [])", list_of(kind))
        case "min" | "max" if kind.is_float:  # NaN only where there is nothing else; to DuckDB it is the largest number
            return Both(mine, f"coalesce({name}({sql}) FILTER (NOT isnan({sql})), {name}({sql}))", kind)
        case "min" | "max":
            return Both(mine, f"{name}({sql})", kind)
        case "sum":
            return _sum(mine, column)
        case "mean":
            number = f"CAST({sql} AS INTEGER)" if types.is_boolean(kind.type) else sql
            return Both(mine, f"CAST(avg({number}) AS DOUBLE)", ROUGH)
        case _:
            return Both(mine, _moment({"std": "stddev_samp", "var": "var_samp"}[name], column), ROUGH)


def _sum(mine: object, column: Col) -> Both:
    """The sum of nothing is 0."""
    kind, sql = column.kind, column.sql
    if kind.is_float:
        return Both(mine, f"coalesce(sum({sql}), 0)::DOUBLE", ROUGH)
    if types.is_decimal(kind.type):
        wide = pa.decimal128(38, kind.type.scale)
        return Both(mine, f"coalesce(sum({sql}), 0)::DECIMAL(38,{kind.type.scale})", Kind(wide))
    unsigned = types.is_unsigned_integer(kind.type) or types.is_boolean(kind.type)
    return Both(mine, f"coalesce(sum({sql}), 0)::{'UBIGINT' if unsigned else 'BIGINT'}", UINT64 if unsigned else INT64)


def _moment(function: str, column: Col) -> str:
    """DuckDB refuses what is not finite; to brim the result is NaN."""
    sql = column.sql
    if not column.kind.is_float:
        return f"{function}({sql})"
    odd = f"count({sql}) FILTER (NOT isfinite({sql})) > 0"
    plain = f"{function}({sql}) FILTER (isfinite({sql}))"
    return f"CASE WHEN count({sql}) <= 1 THEN NULL WHEN {odd} THEN 'nan'::DOUBLE ELSE {plain} END"
