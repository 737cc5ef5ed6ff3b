# ruff: noqa: DTZ001 - values of columns without a time zone
"""Kinds of columns: their values, and what DuckDB is given of them.

DuckDB finds equal, and orders, most values as brim says it does: NaN is NaN and the largest number, -0.0 is 0.0, strings
go by their bytes, a null in a list is a null. Those kinds are `native`: it is given the values. It is given a number
in place of a value of the others, which it does not have (tensors, 16 bit floats, decimals of 256 bits), finds equal by
other rules (structs, maps), or orders by other rules (spans of time): the place among the values of the kind in order.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cached_property
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import types

NAN, INF = float("nan"), float("inf")
EPOCH = datetime(1970, 1, 1)


@dataclass(frozen=True, eq=False)
class Kind:
    """A type of column and the values that a plan draws from; equal are only a kind and itself.

    Attributes:
        type: in Arrow.
        values: all there are, each different from the others to brim; in order where there is one. Empty where values
            are only computed.
        native: DuckDB is given the values.
        sortable: brim orders them.
        approximate: computed in floats, whose last digits depend on the order of additions.
    """

    type: pa.DataType
    values: tuple[Any, ...] = field(default=(), repr=False)
    native: bool = True
    sortable: bool = True
    approximate: bool = False
    of: Kind | None = None

    @cached_property
    def array(self) -> pa.Array:
        """The values as Arrow has them."""
        if isinstance(self.type, pa.BaseExtensionType):
            return pa.ExtensionArray.from_storage(self.type, pa.array(self.values, self.type.storage_type))
        return pa.array(self.values, self.type)

    def given(self, column: pa.Array) -> pa.Array:
        """What DuckDB says of a column of this kind, as Arrow has it in brim."""
        if self.native:
            return column.cast(self.type)
        if self.of is None:
            return self.array.take(column) if self.values else _nulls(len(column), self.type)
        values = self.of.given(column.flatten())
        lengths = column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
        offsets, mask = pa.array(np.append(0, np.cumsum(lengths)), pa.int32()), column.is_null()
        return pa.ListArray.from_arrays(offsets, values, type=self.type, mask=mask)

    @property
    def is_number(self) -> bool:
        """Whether DuckDB can add it."""
        return self.native and (self.is_integer or self.is_float or types.is_decimal(self.type))

    @property
    def is_integer(self) -> bool:
        return self.native and types.is_integer(self.type)

    @property
    def is_float(self) -> bool:
        return self.native and types.is_floating(self.type)

    @property
    def is_list(self) -> bool:
        return types.is_list(self.type)


def _nulls(count: int, kind: pa.DataType) -> pa.Array:
    if isinstance(kind, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(kind, pa.nulls(count, kind.storage_type))
    return pa.nulls(count, kind)


def list_of(kind: Kind) -> Kind:
    """Lists of values of `kind`, as an aggregate makes them."""
    return Kind(pa.list_(kind.type), native=kind.native, sortable=False, approximate=kind.approximate, of=kind)


def meaning(value: Any) -> Any:
    """A value that Python finds equal where brim does."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else value + 0.0
    if isinstance(value, dict):
        return ("struct", *((name, meaning(part)) for name, part in value.items()))
    return tuple(meaning(part) for part in value) if isinstance(value, list | tuple) else value


INT64, UINT64, FLOAT64, BOOL = (Kind(kind) for kind in (pa.int64(), pa.uint64(), pa.float64(), pa.bool_()))
ROUGH = Kind(pa.float64(), approximate=True)
"""Kinds of what is computed."""

Make = Callable[[Random], Any]


@dataclass(frozen=True)
class Recipe:
    """How values of a type are drawn: some that are special, and any number of others."""

    type: pa.DataType
    special: list[Any]
    other: Make
    native: bool = True
    sortable: bool = True
    order: Callable[[Any], Any] | None = field(default=None)
    parquet: bool = True

    def kind(self, random: Random, count: int) -> Kind:
        """A kind of about `count` different values."""
        drawn = [value for value in (*self.special, *(self.other(random) for _ in range(count))) if value is not None]
        random.shuffle(drawn)
        values = list({meaning(value): value for value in drawn}.values())[: max(1, count)] if drawn else []
        if not self.native and self.sortable:
            values.sort(key=self.order)
        return Kind(self.type, tuple(values), self.native, self.sortable)


def _whole(bits: int, *, signed: bool) -> Recipe:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    kind = getattr(pa, f"{'' if signed else 'u'}int{bits}")()
    special = [low, high, 0, 1, *([-1] if signed else []), *([2**40, 2**53 + 1] if bits == 64 else [])]
    return Recipe(kind, special, lambda random: random.randrange(max(low, -(10**6)), min(high, 10**6)))


def _quarter(random: Random) -> float:
    return random.randrange(-(10**6), 10**6) / 4  # sums of these are exact, in whatever order


def _text(random: Random) -> str:
    kind = random.random()
    if kind < 0.1:
        return "y" * random.choice([99, 100, 200, 700]) + random.choice("abé")
    return "".join(random.choice("ab\0é𝄞 z") for _ in range(random.randrange(14)))


def _moment(random: Random) -> datetime:
    return EPOCH + timedelta(microseconds=random.randrange(-(10**15), 10**15))


def _second(random: Random) -> datetime:
    return EPOCH + timedelta(seconds=random.randrange(-(10**9), 10**9))


def _numbers(random: Random) -> list[Any]:
    return [random.choice([None, 0, 1, 2, -7]) for _ in range(random.randrange(5))]


FLOATS = [0.0, NAN, INF, -INF, 1.5, -1.5]
SOME_TEXT = ["", "a", "ab", "ab\0", "b", "é", "12345678", "12345678\0", "x" * 40, "x" * 41]


def _nan_last(value: float) -> tuple[bool, float]:
    return math.isnan(value), 0.0 if math.isnan(value) else value


RECIPES = [
    Recipe(pa.bool_(), [False, True], lambda random: random.random() < 0.5),
    *(_whole(bits, signed=signed) for bits in (8, 16, 32, 64) for signed in (True, False)),
    Recipe(pa.float32(), FLOATS, _quarter),
    Recipe(pa.float64(), FLOATS, _quarter),
    Recipe(
        pa.decimal128(12, 2), [Decimal("0.00"), Decimal("-1.50")], lambda r: Decimal(r.randrange(-(10**7), 10**7)) / 4
    ),
    Recipe(pa.decimal128(30, 3), [Decimal(10**20), Decimal(-(10**20))], lambda r: Decimal(r.randrange(10**15)) / 8),
    Recipe(pa.date32(), [date(1969, 12, 31), date(2024, 2, 29)], lambda r: _moment(r).date()),
    Recipe(pa.timestamp("us"), [EPOCH, datetime(1900, 1, 1)], _moment),
    Recipe(pa.timestamp("s"), [EPOCH], _second, parquet=False),
    Recipe(pa.timestamp("us", "Europe/Paris"), [EPOCH.replace(tzinfo=UTC)], lambda r: _moment(r).replace(tzinfo=UTC)),
    Recipe(pa.string(), SOME_TEXT, _text),
    Recipe(pa.large_string(), SOME_TEXT, _text),
    Recipe(pa.binary(), [text.encode() for text in SOME_TEXT] + [b"\xff" * 8], lambda r: r.randbytes(r.randrange(12))),
    Recipe(pa.binary(5), [b"\0" * 5, b"\xff" * 5], lambda r: r.randbytes(5)),
    Recipe(pa.list_(pa.int32()), [[], [None], [0], [0, None]], _numbers, sortable=False),
    Recipe(
        pa.list_(pa.string()),
        [[], [None], [""], ["", ""]],
        lambda r: [_text(r) for _ in range(r.randrange(4))],
        sortable=False,
    ),
    Recipe(pa.float16(), FLOATS, lambda r: r.randrange(-1000, 1000) / 4, native=False, order=_nan_last, parquet=False),
    Recipe(
        pa.decimal256(60, 2),
        [Decimal(2**190), Decimal(0)],
        lambda r: Decimal(r.randrange(-(10**9), 10**9)) / 4,
        native=False,
    ),
    Recipe(
        pa.duration("us"),
        [timedelta(0), timedelta(-9)],
        lambda r: timedelta(seconds=r.randrange(-99, 10**6)),
        native=False,
    ),
    Recipe(pa.time64("us"), [time(0)], lambda r: _moment(r).time(), native=False),
    Recipe(
        pa.struct([("x", pa.float64()), ("y", pa.string())]),
        [{"x": NAN, "y": None}, {"x": 0.0, "y": ""}, {"x": None, "y": None}],
        lambda r: {"x": r.choice([NAN, 0.0, 1.5, None]), "y": r.choice([None, _text(r)])},
        native=False,
        sortable=False,
    ),
    Recipe(
        pa.list_(pa.float64()),
        [[], [NAN], [None], [0.0]],
        lambda r: [r.choice([*FLOATS, None]) for _ in range(r.randrange(4))],
        native=False,
        sortable=False,
    ),
    Recipe(
        pa.list_(pa.list_(pa.int8())),
        [[], [[]], [None]],
        lambda r: [_numbers(r) for _ in range(r.randrange(3))],
        native=False,
        sortable=False,
    ),
    Recipe(
        pa.map_(pa.string(), pa.int32()),
        [[], [("a", None)]],
        lambda r: [(x, r.randrange(3)) for x in r.sample("abc", r.randrange(4))],
        native=False,
        sortable=False,
    ),
    Recipe(
        pa.fixed_shape_tensor(pa.float32(), [2, 2]),
        [[0.0] * 4],
        lambda r: [r.randrange(9) / 2 for _ in range(4)],
        native=False,
        sortable=False,
        parquet=False,
    ),
    Recipe(
        pa.fixed_shape_tensor(pa.uint8(), [5, 4, 3]),
        [],
        lambda r: list(r.randbytes(60)),
        native=False,
        sortable=False,
        parquet=False,
    ),
    Recipe(pa.null(), [], lambda _: None, native=False, parquet=False),
]
