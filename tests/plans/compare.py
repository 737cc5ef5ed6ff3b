"""Compare: whether brim's rows are those that a relation says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from .relation import Relation
from .same_values import codes
from .tables import Col

RELATIVE, ABSOLUTE = 1e-9, 1e-6
DIGITS = 8
NO_VALUE = 1.2345e-300  # for null among floats: nothing computed is this
SHOWN = 5

Array = Any


@dataclass(frozen=True)
class Rows:
    """Rows as numbers: equal in `exact` where values are; `rough` are floats that are only about equal."""

    exact: Array
    rough: Array

    def take(self, order: Array) -> Rows:
        return Rows(self.exact[order], self.rough[order])

    def sorted(self) -> Array:
        """An order of the rows that is the same for rows in any order."""
        return np.lexsort([*_rounded(self.rough).T, *self.exact.T])

    def differ(self, other: Rows) -> Array:
        """The places where two are not the same."""
        exact = (self.exact != other.exact).any(axis=1)
        return np.flatnonzero(
            exact | ~np.isclose(self.rough, other.rough, RELATIVE, ABSOLUTE, equal_nan=True).all(axis=1)
        )


def check(relation: Relation, expected: pa.Table, actual: pa.Table) -> None:
    """Raise `AssertionError`, with some rows, where `actual` is not what `relation` says."""
    wanted = pa.schema([(column.name, column.kind.type) for column in relation.columns])
    assert actual.schema.equals(wanted), f"columns {actual.schema} instead of {wanted}"
    most = relation.rows if relation.most is None else relation.most
    assert actual.num_rows == most, f"{actual.num_rows} rows instead of {most}"
    if most == 0:
        return
    theirs, mine = coded(relation.columns, expected, actual)
    if relation.most is not None:
        _check_some(theirs, mine)
        return
    if relation.keys:
        places = [[c for c in relation.columns if not c.kind.approximate].index(key) for key in relation.keys]
        by_keys = (Rows(side.exact[:, places], side.rough[:, :0]) for side in (theirs, mine))
        _check_same(*by_keys, expected, actual, "in the order of the keys")
    if relation.ordered:
        _check_same(theirs, mine, expected, actual, "in order")
        return
    a, b = theirs.sorted(), mine.sorted()
    _check_same(theirs.take(a), mine.take(b), expected.take(pa.array(a)), actual.take(pa.array(b)), "in any order")


def check_part(relation: Relation, expected: pa.Table, actual: pa.Table) -> None:
    """Raise `AssertionError` where rows of `actual`, which broke off, are none of those that `relation` says."""
    if actual.num_rows == 0:
        return
    theirs, mine = coded(relation.columns, expected, actual)
    count = len(mine.exact)
    assert count <= len(theirs.exact), f"{count} rows of {len(theirs.exact)}"
    if relation.ordered:
        _check_same(theirs.take(np.arange(count)), mine, expected, actual, "in order, as far as they came")
    else:
        _check_some(theirs, mine)


def _check_same(theirs: Rows, mine: Rows, expected: pa.Table, actual: pa.Table, how: str) -> None:
    wrong = theirs.differ(mine)
    if len(wrong):
        shown = [
            f"    row {at}: {_row(actual, at)}\n     instead: {_row(expected, at)}" for at in wrong[:SHOWN].tolist()
        ]
        raise AssertionError(f"{len(wrong)} of {len(mine.exact)} rows differ, compared {how}\n" + "\n".join(shown))


def _check_some(theirs: Rows, mine: Rows) -> None:
    """Each row of `mine` is one of `theirs`, no more often than there."""
    both = np.concatenate([theirs.exact, mine.exact])
    _, codes = np.unique(both, axis=0, return_inverse=True)
    codes = codes.reshape(-1)
    there, here = (
        np.bincount(part, minlength=codes.max(initial=0) + 1) for part in np.split(codes, [len(theirs.exact)])
    )
    assert (here <= there).all(), f"{int((here > there).sum())} rows that are not there"


def _row(table: pa.Table, at: int) -> str:
    return f"{table.slice(at, 1).to_pylist()[0]!r:.600}"


def coded(columns: tuple[Col, ...], expected: pa.Table, actual: pa.Table) -> tuple[Rows, Rows]:
    """Both tables as numbers: DuckDB's, brim's."""
    split, exact, rough = expected.num_rows, [], []
    for number, column in enumerate(columns):
        sides = (side.column(number).combine_chunks() for side in (expected, actual))
        (rough if column.kind.approximate else exact).append(_numbers(column, *sides))
    count = split + actual.num_rows
    return tuple(  # type: ignore[return-value]
        Rows(*(np.stack(part, axis=1)[rows] if part else np.empty((count, 0))[rows] for part in (exact, rough)))
        for rows in (slice(split), slice(split, None))
    )


def _numbers(column: Col, expected: pa.Array, actual: pa.Array) -> Array:
    """The values of both sides, one behind the other: floats where they are approximate, else what `codes` says."""
    if column.kind.approximate:
        sides = [side.cast(pa.float64()).to_numpy(zero_copy_only=False) for side in (expected, actual)]
        nulls = [side.is_null().to_numpy(zero_copy_only=False) for side in (expected, actual)]
        return np.where(np.concatenate(nulls), NO_VALUE, np.concatenate(sides))
    return codes(pa.concat_arrays([column.kind.given(expected), actual]))


def _rounded(values: Array) -> Array:
    """Few digits, so that what is about equal is equal."""
    with np.errstate(all="ignore"):
        digits = 10.0 ** (DIGITS - np.ceil(np.log10(np.abs(values))))
        rounded = np.round(values * digits) / digits
    return np.where(np.isfinite(rounded), rounded, np.nan_to_num(values, nan=-1.0))
