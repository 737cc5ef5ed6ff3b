"""Steps: each makes of a relation the next, of brim's and of DuckDB's, or None where it cannot."""

from __future__ import annotations

from random import Random

from pyarrow import types

from brim import col

from .aggregates import WITH_ORDER, aggregate, overflow_test
from .predicates import computed, predicate
from .relation import Relation
from .tables import ORDER, Col

MOST_ROWS = 6_000
MOST_COLUMNS = 14


def filtered(relation: Relation, random: Random) -> Relation:
    wanted = predicate(relation.columns, random)
    query = f'SELECT * FROM "{relation.table}" WHERE {wanted.theirs}'
    kept = {"ordered": relation.ordered, "keys": relation.keys}
    return relation.made(
        relation.pipeline.filter(wanted.mine), query, relation.columns, f"filter {wanted.theirs}", **kept
    )


def selected(relation: Relation, random: Random) -> Relation:
    """Some of the columns, and one that is computed."""
    kept = tuple(random.sample(relation.columns, random.randrange(1, len(relation.columns) + 1)))
    made, name = computed(relation.columns, random), _free("x", relation)
    if made is None or random.random() < 0.3:
        return _projected(relation, kept, relation.pipeline.select(*(column.name for column in kept)), [])
    pipeline = relation.pipeline.select(*(column.name for column in kept), made.mine.alias(name))
    return _projected(relation, (*kept, Col(name, made.kind)), pipeline, [f'{made.theirs} AS "{name}"'])


def widened(relation: Relation, random: Random) -> Relation | None:
    """A column that is computed beside the others."""
    made, name = computed(relation.columns, random), _free("x", relation)
    if made is None or len(relation.columns) >= MOST_COLUMNS:
        return None
    columns = (*relation.columns, Col(name, made.kind))
    pipeline = relation.pipeline.with_columns(made.mine.alias(name))
    return _projected(relation, columns, pipeline, [f'{made.theirs} AS "{name}"'])


def _projected(relation: Relation, columns: tuple[Col, ...], pipeline: object, more: list[str]) -> Relation:
    plain = [column.sql for column in columns[: len(columns) - len(more)]]
    what = ", ".join([*plain, *more])
    query = f'SELECT {what}, "{ORDER}" FROM "{relation.table}"'
    kept = relation.keys if all(key in columns for key in relation.keys) else ()
    return relation.made(pipeline, query, columns, f"select {what}", ordered=relation.ordered, keys=kept)


def ordered(relation: Relation, random: Random) -> Relation | None:
    """Sort by up to three keys, and perhaps only the first rows, and perhaps not the very first."""
    able = [column for column in relation.columns if column.kind.sortable and not column.kind.approximate]
    if not able:
        return None
    keys = random.sample(able, random.randrange(1, min(4, len(able) + 1)))
    down, first = [random.random() < 0.4 for _ in keys], random.random() < 0.3
    if len(set(down)) == 1 and random.random() < 0.5:
        pipeline = relation.pipeline.sort([key.name for key in keys], descending=down[0], nulls_first=first)
    else:
        pipeline = relation.pipeline.sort(*(col(key.name) for key in keys), descending=down, nulls_first=first)
    nulls = "NULLS FIRST" if first else "NULLS LAST"
    by = ", ".join(f"{key.sql} {'DESC' if each else 'ASC'} {nulls}" for key, each in zip(keys, down, strict=True))
    total = relation.ordered or _are_unique(relation, tuple(keys)) or set(keys) == set(relation.columns)
    query = _numbered(relation, f'{by}, "{ORDER}"')
    made = relation.made(
        pipeline, query, relation.columns, f"sort {by}", ordered=total, keys=() if total else tuple(keys)
    )
    return cut(made, random) if random.random() < 0.4 else made


def _numbered(relation: Relation, by: str) -> str:
    return f'SELECT {relation.list()}, row_number() OVER (ORDER BY {by}) AS "{ORDER}" FROM "{relation.table}"'


def _are_unique(relation: Relation, keys: tuple[Col, ...]) -> bool:
    query = f'SELECT count(*) FROM (SELECT DISTINCT {relation.list(keys)} FROM "{relation.table}")'
    return relation.con.execute(query).fetchall()[0][0] == relation.rows


def cut(relation: Relation, random: Random) -> Relation:
    """The first rows, or all but them; of rows without an order so many as there must be, at the end of a plan."""
    most = random.choice([0, 1, 3, 20, 100, 1_000, relation.rows // 2, relation.rows, relation.rows + 5])
    if not relation.ordered:
        query, kept = f'SELECT * FROM "{relation.table}"', min(most, relation.rows)
        pipeline = relation.pipeline.limit(most)
        return relation.made(pipeline, query, relation.columns, f"limit {most}, any", ordered=False, most=kept)
    place = f'SELECT *, row_number() OVER (ORDER BY "{ORDER}") AS place FROM "{relation.table}"'
    if random.random() < 0.2:
        pipeline, where = relation.pipeline.offset(most), f"place > {most}"
    else:
        pipeline, where = relation.pipeline.limit(most), f"place <= {most}"
    query = f"SELECT * EXCLUDE (place) FROM ({place}) WHERE {where}"
    return relation.made(pipeline, query, relation.columns, f"rows {where}")


def grouped(relation: Relation, random: Random) -> Relation:
    """By up to three keys, with up to five aggregates."""
    able = [column for column in relation.columns if not column.kind.approximate]
    if not able:
        return aggregated(relation, random)
    keys = tuple(random.sample(able, random.randrange(1, min(4, len(able) + 1))))
    made = _aggregates(relation, random)
    pipeline = relation.pipeline.group_by(*(key.name for key in keys)).agg(*(mine for mine, _, _ in made))
    by, what = relation.list(keys), ", ".join(sql for _, sql, _ in made)
    query = f'SELECT {by}, {what}, 0 AS "{ORDER}" FROM "{relation.table}" GROUP BY {by}'
    columns = (*keys, *(column for _, _, column in made))
    return relation.made(pipeline, query, columns, f"group by {by}: {what}", ordered=False)


def aggregated(relation: Relation, random: Random) -> Relation:
    """One row of all."""
    made = _aggregates(relation, random)
    what = ", ".join(sql for _, sql, _ in made)
    query = f'SELECT {what}, 0 AS "{ORDER}" FROM "{relation.table}"'
    pipeline = relation.pipeline.agg(*(mine for mine, _, _ in made))
    return relation.made(pipeline, query, tuple(column for _, _, column in made), f"agg {what}")


def _aggregates(relation: Relation, random: Random) -> list[tuple[object, str, Col]]:
    overflows, made = overflow_test(relation.con, relation.table), []
    for number in range(random.choice([1, 1, 2, 3, 5])):
        both, name = (
            aggregate(relation.columns, random, overflows, ordered=relation.ordered),
            _free(f"a{number}", relation),
        )
        made.append((both.mine.alias(name), f'{both.theirs} AS "{name}"', Col(name, both.kind)))
    return made


def distinct(relation: Relation, random: Random) -> Relation | None:
    if any(column.kind.approximate for column in relation.columns):
        return None
    query = f'SELECT DISTINCT {relation.list()}, 0 AS "{ORDER}" FROM "{relation.table}"'
    return relation.made(relation.pipeline.distinct(), query, relation.columns, "distinct", ordered=False)


def repartitioned(relation: Relation, random: Random) -> Relation:
    able = [column.name for column in relation.columns if not column.kind.approximate]
    by = random.sample(able, random.randrange(0, min(3, len(able) + 1)))
    parts = random.choice([1, 2, 3, 7, 40])
    pipeline = relation.pipeline.repartition(parts, by=by[0] if len(by) == 1 else by)
    query = f'SELECT * FROM "{relation.table}"'
    return relation.made(pipeline, query, relation.columns, f"repartition {parts} by {by}", ordered=False)


def exploded(relation: Relation, random: Random) -> Relation | None:
    lists = [column for column in relation.columns if column.kind.is_list and (column.kind.of or column.kind.native)]
    if not lists:
        return None
    column = random.choice(lists)
    of = column.kind.of or _elements(column)
    full = f"CASE WHEN coalesce(len({column.sql}), 0) = 0 THEN [NULL] ELSE {column.sql} END"
    others = [f"{c.sql}" if c != column else f"unnest(full_list) AS {column.sql}" for c in relation.columns]
    inner = f'SELECT {relation.list()}, "{ORDER}", unnest({full}) AS value, generate_subscripts({full}, 1) AS step FROM "{relation.table}"'
    others = [c.sql if c != column else f"value AS {c.sql}" for c in relation.columns]
    query = f'SELECT {", ".join(others)}, row_number() OVER (ORDER BY "{ORDER}", step) AS "{ORDER}" FROM ({inner})'
    (rows,) = relation.con.execute(
        f'SELECT sum(greatest(1, coalesce(len({column.sql}), 0))) FROM "{relation.table}"'
    ).fetchall()[0]
    if (rows or 0) > MOST_ROWS:
        return None
    columns = tuple(Col(c.name, of) if c == column else c for c in relation.columns)
    pipeline = relation.pipeline.explode(column.name)
    return relation.made(pipeline, query, columns, f"explode {column.name}", ordered=relation.ordered)


def _elements(column: Col) -> object:
    from .kinds import Kind

    return Kind(column.kind.type.value_type)


def _free(name: str, relation: Relation) -> str:
    """A name that no column has."""
    while any(column.name == name for column in relation.columns):
        name += "_"
    return name


__all__ = ["WITH_ORDER", "types"]
