"""Draw: a plan from a seed. The pipeline and the rows it makes grow together, so every step knows what it works on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import duckdb

from . import steps
from .combined import concatenated, joined
from .kinds import RECIPES, Kind
from .relation import Relation, next_number
from .tables import Col, Drawn, draw_table, load, source

STEPS: dict[str, tuple[int, Callable[..., Relation | None]]] = {
    "filter": (2, steps.filtered),
    "select": (1, steps.selected),
    "widen": (1, steps.widened),
    "sort": (5, steps.ordered),
    "group": (5, steps.grouped),
    "agg": (1, steps.aggregated),
    "distinct": (2, steps.distinct),
    "repartition": (1, steps.repartitioned),
    "explode": (2, steps.exploded),
    "limit": (1, steps.cut),
}
BINARY = 10
"""How often two relations are combined, beside the weights of the other steps."""


@dataclass
class Draw:
    """Draws one plan; files are made in `folder`."""

    random: Random
    con: duckdb.DuckDBPyConnection
    folder: Path
    keys: list[Col] = field(default_factory=list)
    kinds: list[Kind] = field(default_factory=list)

    def plan(self) -> Relation:
        random = self.random
        recipes = random.sample(RECIPES, 7)
        self.kinds = [recipe.kind(random, random.choice([2, 9, 60, 900, 900])) for recipe in recipes]
        self.keys = [Col(f"k{number}", kind) for number, kind in enumerate(self.kinds[:3])]
        return self.relation(random.choice([1, 1, 2, 2, 3, 3, 4, 5]), 2)

    def relation(self, depth: int, branches: int) -> Relation:
        """A source and `depth` steps above it, with sources of their own where they combine two."""
        relation = self.source()
        for _ in range(depth):
            if relation.most is not None:
                break
            relation = self.step(relation, branches) or relation
        return relation

    def step(self, relation: Relation, branches: int) -> Relation | None:
        weights = [weight for weight, _ in STEPS.values()]
        if branches and self.random.random() < BINARY / (BINARY + sum(weights)):
            return self.combined(relation, branches - 1)
        name = self.random.choices(list(STEPS), weights)[0]
        if name == "limit" and not relation.ordered and self.random.random() < 0.8:
            return None
        return STEPS[name][1](relation, self.random)

    def combined(self, relation: Relation, branches: int) -> Relation | None:
        random = self.random
        if random.random() < 0.2:
            other = random.choice([relation, steps.filtered(relation, random)])
            return concatenated(relation, other) if random.random() < 0.5 else joined(relation, other, random)
        other = self.relation(random.choice([0, 0, 1, 2]), branches)
        if other.most is not None:
            return None
        if random.random() < 0.1 and (made := concatenated(relation, other)):
            return made
        return joined(relation, other, random) if random.random() < 0.5 else joined(other, relation, random)

    def source(self) -> Relation:
        random = self.random
        rows = random.choice([0, 1, 2, 7, 50, 300, 300, 1_000, 1_000, 1_000, 3_000])
        payload = [Col(f"p{number}", random.choice(self.kinds)) for number in range(random.randrange(4))]
        columns = tuple(random.sample(self.keys, random.randrange(1, 4)) + payload)
        nulls = tuple(random.choice([0, 0, 0.1, 0.5, 1.0 if random.random() < 0.2 else 0]) for _ in columns)
        skew = tuple(random.choice([0, 0, 0, 0.9]) for _ in columns)
        mine, theirs = draw_table(Drawn(columns, rows, nulls, skew), random.getrandbits(32))
        name = f"t{next_number(self.con)}"
        load(self.con, name, theirs)
        stored = {recipe.type: recipe.parquet for recipe in RECIPES}
        storable = all(stored[column.kind.type] for column in columns)
        how, pipeline = source(mine, random, self.folder, name, storable=storable)
        kinds = ", ".join(f"{column.name}: {column.kind.type}" for column in columns)
        return Relation(
            self.con, pipeline, name, columns, rows, (f"{how} of {rows} rows ({kinds})",), weight=mine.nbytes
        )


def draw(seed: int, con: duckdb.DuckDBPyConnection, folder: Path) -> Relation:
    """The plan of `seed`."""
    for (name,) in con.execute("SELECT table_name FROM duckdb_tables() WHERE temporary").fetchall():
        con.execute(f'DROP TABLE "{name}"')
    return Draw(Random(seed), con, folder).plan()
