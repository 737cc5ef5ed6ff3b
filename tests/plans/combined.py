"""Combined: steps of two relations."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from .relation import Relation
from .steps import MOST_COLUMNS, MOST_ROWS
from .tables import ORDER, Col

HOWS = ("inner", "left", "right", "full", "semi", "anti", "cross")
FILTERS = ("semi", "anti")
MOST_PAIRS = 100_000
SIDES = {"inner": "INNER", "left": "LEFT", "right": "RIGHT", "full": "FULL"}

Pairs = tuple[tuple[Col, Col], ...]


def concatenated(one: Relation, other: Relation) -> Relation | None:
    """The rows of both; None where their columns differ."""
    if one.columns != other.columns or one.rows + other.rows > MOST_ROWS:
        return None
    ordered = one.ordered and other.ordered
    both = f'SELECT *, 0 AS side FROM "{one.table}" UNION ALL SELECT *, 1 FROM "{other.table}"'
    query = f'SELECT {one.list()}, row_number() OVER (ORDER BY side, "{ORDER}") AS "{ORDER}" FROM ({both})'
    made = one.made(one.pipeline.concat(other.pipeline), query, one.columns, "concat", ordered=ordered)
    return _both(made, one, other)


def joined(left: Relation, right: Relation, random: Random) -> Relation | None:
    """A join of any kind, on up to three keys."""
    how = random.choice(HOWS[:6] if random.random() < 0.95 else HOWS)
    pairs = () if how == "cross" else _pairs(left, right, random)
    if not pairs and how != "cross":
        return None
    by_name = bool(pairs) and all(mine.name == theirs.name for mine, theirs in pairs)
    options = _options(pairs, by_name=by_name and random.random() < 0.8)
    if how not in FILTERS and (
        len(left.columns) + len(right.columns) > MOST_COLUMNS
        or _count(left, right, pairs) > MOST_ROWS // max(left.longest(), right.longest())
    ):
        if not pairs:
            return None
        how = random.choice(FILTERS)
    if how in FILTERS and _count(left, right, pairs) > MOST_PAIRS:
        return None
    if how not in FILTERS and (suffix := _suffix(left, right, pairs)) != "_right":
        options["suffix"] = suffix
    pipeline = left.pipeline.join(right.pipeline, how=how, **options)
    query, columns = _query(left, right, how, pairs, options.get("suffix", "_right"))
    made = left.made(pipeline, query, columns, f"{how} join {options}", ordered=False)
    return _both(made, left, right)


def _both(made: Relation, one: Relation, other: Relation) -> Relation:
    """`made`, which says and weighs what both do."""
    inset = tuple(f"    {line}" for line in other.said)
    return replace(made, said=(*one.said, *inset, made.said[-1]), weight=one.weight + other.weight)


def _pairs(left: Relation, right: Relation, random: Random) -> Pairs:
    """Columns of one kind, each of either side once; most often of one name."""
    able = [(a, b) for a in left.columns for b in right.columns if a.kind is b.kind and not a.kind.approximate]
    if random.random() < 0.8:
        able = [pair for pair in able if pair[0].name == pair[1].name] or able
    random.shuffle(able)
    chosen: list[tuple[Col, Col]] = []
    for a, b in able:
        if all(a != mine and b != theirs for mine, theirs in chosen):
            chosen.append((a, b))
    return tuple(chosen[: random.choice([1, 1, 2, 3])])


def _options(pairs: Pairs, *, by_name: bool) -> dict[str, object]:
    if not pairs:
        return {}
    mine, theirs = ([pair[side].name for pair in pairs] for side in (0, 1))
    if by_name:
        return {"on": mine[0] if len(mine) == 1 else mine}
    return {"left_on": mine, "right_on": theirs}


def _count(left: Relation, right: Relation, pairs: Pairs) -> int:
    """How many pairs of rows there are, or more."""
    if not pairs:
        return left.rows * right.rows + left.rows + right.rows
    query = f'SELECT count(*) FROM "{left.table}" l JOIN "{right.table}" r ON {_on(pairs)}'
    if left.rows * right.rows > 50 * MOST_ROWS:  # it may take long to count them one by one
        keys = " AND ".join(f"l.k{i} = r.k{i}" for i in range(len(pairs)))
        sides = []
        for side, relation in enumerate((left, right)):
            names = ", ".join(f"{pair[side].sql} AS k{i}" for i, pair in enumerate(pairs))
            sides.append(f'(SELECT {names}, count(*) AS c FROM "{relation.table}" GROUP BY ALL)')
        query = f"SELECT coalesce(sum(l.c * r.c), 0) FROM {sides[0]} l JOIN {sides[1]} r ON {keys}"
    return int(left.con.execute(query).fetchall()[0][0]) + left.rows + right.rows


def _on(pairs: Pairs) -> str:
    return " AND ".join(f"l.{mine.sql} = r.{theirs.sql}" for mine, theirs in pairs)


def _shared(pairs: Pairs) -> set[str]:
    return {mine.name for mine, theirs in pairs if mine.name == theirs.name}


def _suffix(left: Relation, right: Relation, pairs: Pairs) -> str:
    """The usual one where no two columns get one name by it."""
    suffix, mine = "_right", {column.name for column in left.columns}
    theirs = {column.name for column in right.columns} - _shared(pairs)
    while (mine | (theirs - mine)) & {name + suffix for name in theirs & mine}:
        suffix += "2"
    return suffix


def _query(left: Relation, right: Relation, how: str, pairs: Pairs, suffix: str) -> tuple[str, tuple[Col, ...]]:
    sides = f'"{left.table}" l {SIDES.get(how, "CROSS")} JOIN "{right.table}" r' + (
        f" ON {_on(pairs)}" if pairs else ""
    )
    if how in FILTERS:
        there = f'EXISTS (SELECT 1 FROM "{right.table}" r WHERE {_on(pairs)})'
        where = there if how == "semi" else f"NOT {there}"
        return f'SELECT {left.list(prefix="l.")}, 0 AS "{ORDER}" FROM "{left.table}" l WHERE {where}', left.columns
    shared, names = _shared(pairs), {column.name for column in left.columns}
    what, columns = [], list(left.columns)
    for column in left.columns:
        both = column.name in shared and how in ("right", "full")
        what.append(f"coalesce(l.{column.sql}, r.{column.sql}) AS {column.sql}" if both else f"l.{column.sql}")
    for column in right.columns:
        if column.name not in shared:
            new = Col(column.name + suffix if column.name in names else column.name, column.kind)
            columns.append(new)
            what.append(f"r.{column.sql} AS {new.sql}")
    return f'SELECT {", ".join(what)}, 0 AS "{ORDER}" FROM {sides}', tuple(columns)
