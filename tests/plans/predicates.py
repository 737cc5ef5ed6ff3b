"""Expressions: of brim's, and the same in DuckDB's SQL."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from math import isfinite
from random import Random
from typing import Any

import pyarrow as pa
from pyarrow import types

from brim import col, lit, when

from .kinds import BOOL, INT64, Kind
from .tables import Col

NARROW = 32  # bits: what is added to or multiplied here stays far from the ends of int64


@dataclass(frozen=True)
class Both:
    """An expression twice, and the kind of its values."""

    mine: Any
    theirs: str
    kind: Kind


def predicate(columns: tuple[Col, ...], random: Random, depth: int = 2) -> Both:
    """What may be true, false or null of a row."""
    if depth and random.random() < 0.35:
        left, right = (predicate(columns, random, depth - 1) for _ in range(2))
        match random.choice(["and", "or", "not"]):
            case "and":
                return Both(left.mine & right.mine, f"({left.theirs} AND {right.theirs})", BOOL)
            case "or":
                return Both(left.mine | right.mine, f"({left.theirs} OR {right.theirs})", BOOL)
            case _:
                return Both(~left.mine, f"(NOT {left.theirs})", BOOL)
    return _leaf(random.choice(columns), random)


def _leaf(column: Col, random: Random) -> Both:
    mine, theirs, kind = col(column.name), column.sql, column.kind
    if types.is_null(kind.type) or kind.approximate or not _comparable(kind) or random.random() < 0.2:
        return Both(mine.is_null(), f"({theirs} IS NULL)", BOOL)
    if types.is_boolean(kind.type):
        return Both(mine, theirs, BOOL)
    value = random.choice(kind.values or [0, 1, 5, 40])
    literal = _sql(value, kind) if kind.values or kind.is_integer else None
    if literal is None:
        return Both(~mine.is_null(), f"({theirs} IS NOT NULL)", BOOL)
    sign = random.choice(["<", "<=", ">", ">=", "=", "<>"])
    other = lit(value, kind.type)
    compared = {
        "<": mine < other, "<=": mine <= other, ">": mine > other, ">=": mine >= other, "=": mine == other,
        "<>": mine != other,
    }[sign]  # fmt: skip
    if kind.is_float:  # to brim, as to IEEE 754, NaN is neither less nor more than anything in an expression
        nan = f"isnan({theirs})"
        return Both(compared, f"({theirs} {sign} {literal} {'OR' if sign == '<>' else 'AND NOT'} {nan})", BOOL)
    return Both(compared, f"({theirs} {sign} {literal})", BOOL)


def _comparable(kind: Kind) -> bool:
    return kind.native and not kind.is_list


def _sql(value: Any, kind: Kind) -> str | None:
    """`value` in SQL; None for what is too odd to write down."""
    if types.is_floating(kind.type):
        return f"'{value}'::DOUBLE" if isfinite(value) else None
    if types.is_integer(kind.type) or isinstance(value, Decimal):
        return f"({value}::HUGEINT)" if types.is_integer(kind.type) else f"({value}::{_decimal(kind.type)})"
    if types.is_date(kind.type):
        return f"DATE '{value}'"
    if types.is_timestamp(kind.type) and kind.type.tz is None:
        return f"TIMESTAMP '{value}'"
    if (types.is_string(kind.type) or types.is_large_string(kind.type)) and "\0" not in value:
        return "'" + value.replace("'", "''") + "'"
    return None


def _decimal(kind: pa.DataType) -> str:
    return f"DECIMAL({kind.precision},{kind.scale})"


def computed(columns: tuple[Col, ...], random: Random) -> Both | None:
    """A value for each row; None where there is nothing to compute with."""
    small = [c for c in columns if c.kind.is_integer and c.kind.type.bit_width < NARROW]
    match random.choice(["predicate", "number", "choice", "literal"]):
        case "predicate":
            return predicate(columns, random)
        case "number" if small:
            column, factor, more = random.choice(small), random.randrange(1, 9), random.randrange(-9, 9)
            mine = col(column.name).cast(pa.int64()) * factor + more
            return Both(mine, f"(CAST({column.sql} AS BIGINT) * {factor} + ({more}))", INT64)
        case "choice":
            column, condition = random.choice(columns), predicate(columns, random)
            if types.is_null(column.kind.type):
                return condition
            mine = when(condition.mine).then(col(column.name)).otherwise(lit(None, column.kind.type))
            return Both(mine, f"(CASE WHEN {condition.theirs} THEN {column.sql} END)", column.kind)
        case _:
            value = random.randrange(-3, 300)
            return Both(lit(value, pa.int64()), f"({value}::BIGINT)", INT64)
