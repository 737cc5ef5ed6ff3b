"""Kinds of joins: which rows each sends, and the columns of what it sends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import pyarrow as pa

from brim.errors import PlanError

How = Literal["inner", "left", "right", "full", "semi", "anti", "cross"]
HOWS: tuple[How, ...] = get_args(How)
FILTERS = ("semi", "anti")
"""These send rows of the left side only."""


@dataclass(frozen=True, slots=True)
class JoinSpec:
    """How two inputs are joined.

    Attributes:
        how: see `HOWS`.
        left_on, right_on: the key columns of each side.
        left: the columns of the left side that are sent.
        right: those of the right side, with the names they get.
        coalesced: keys that both sides have, which are taken from the right side where there is no left row.
        schema: of what is sent.
    """

    how: How
    left_on: tuple[str, ...]
    right_on: tuple[str, ...]
    left: tuple[str, ...]
    right: tuple[tuple[str, str], ...]
    coalesced: tuple[str, ...]
    schema: pa.Schema

    def sends_alone(self, *, is_left: bool) -> bool:
        """Whether rows of that side are sent by themselves, according to whether they have a match."""
        return self.how in ("full", "left" if is_left else "right") or (is_left and self.how in FILTERS)

    def keys(self, *, is_left: bool) -> tuple[str, ...]:
        """The key columns of one side."""
        return self.left_on if is_left else self.right_on

    def needed(self, *, is_left: bool) -> tuple[str, ...]:
        """The columns of one side that are sent, at least for rows without a match."""
        if is_left:
            return self.left
        return (*(name for name, _ in self.right), *self.coalesced)

    @property
    def sends_pairs(self) -> bool:
        return self.how not in FILTERS


@dataclass(frozen=True, slots=True)
class JoinKeys:
    """The key columns of both sides, in the same order."""

    left: tuple[str, ...]
    right: tuple[str, ...]


def join_spec(id_: str, how: How, left: pa.Schema, right: pa.Schema, keys: JoinKeys, suffix: str) -> JoinSpec:  # noqa: PLR0917 - a declaration
    """The spec of a join of rows of these schemas.

    A key of one name on both sides is one column of the result. Other columns of the right side whose name the left
    side has too get `suffix`. Raises `PlanError` where keys cannot be compared, or a name would be there twice.
    """
    _check_keys(id_, how, left, right, keys)
    if how in FILTERS:
        return JoinSpec(how, keys.left, keys.right, tuple(left.names), (), (), left)
    shared = {mine for mine, theirs in zip(keys.left, keys.right, strict=True) if mine == theirs}
    renamed = [(name, f"{name}{suffix}" if name in left.names else name) for name in right.names if name not in shared]
    fields = [*left, *(right.field(name).with_name(new) for name, new in renamed)]
    names = [field.name for field in fields]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise PlanError(f"{id_}: more than one column would be called {twice}; choose another suffix=")
    coalesced = tuple(sorted(shared)) if how in ("right", "full") else ()
    schema = pa.schema([pa.field(field.name, field.type) for field in fields])
    return JoinSpec(how, keys.left, keys.right, tuple(left.names), tuple(renamed), coalesced, schema)


def _check_keys(id_: str, how: How, left: pa.Schema, right: pa.Schema, keys: JoinKeys) -> None:
    if how not in HOWS:
        raise PlanError(f"{id_}: how is one of {', '.join(HOWS)}, not {how!r}")
    if how == "cross":
        if keys.left or keys.right:
            raise PlanError(f"{id_}: a cross join has no keys")
        return
    if not keys.left or len(keys.left) != len(keys.right):
        raise PlanError(f"{id_}: say on=, or as many columns in left_on= as in right_on=")
    for mine, theirs in zip(keys.left, keys.right, strict=True):
        one, other = left.field(mine).type, right.field(theirs).type
        if one != other:
            raise PlanError(f"{id_}: {mine!r} is {one} and {theirs!r} is {other}; cast one of them before the join")
