"""Draw: a case from a seed. A tree and the rows it makes grow together, so every operator is drawn knowing its input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa

from brim.errors import LimitExceeded, ObjectMissing, SpillDiskFull, UdfError, UdfMemoryExceeded, WorkerDied
from brim.io.from_batches import batches_source
from brim.io.in_memory import arrow_source
from brim.operators.coalesce import Coalesce
from brim.operators.concat import Concat
from brim.operators.downloads.download import Download, DownloadColumn
from brim.operators.into_batches import IntoBatches
from brim.operators.limit import Limit
from brim.operators.offset import Offset
from brim.operators.transform import Transform
from brim.operators.user_functions.map_arrays import MapArrays
from brim.operators.user_functions.map_batches import MapBatches
from brim.operators.user_functions.map_rows import MapRows
from brim.operators.user_functions.user_function import UserFunction

from .outside import Behaviour, Delays, Kept, Objects
from .parts import (
    Boom,
    Computing,
    Exploding,
    Failing,
    Hold,
    Inflate,
    InTurn,
    Keep,
    Piecewise,
    Raw,
    Window,
    counts,
)
from .streams import NULL, Columns, Stream, batch_of, joined, stream

UNIT = 32 << 10  # the smallest floor of a batch here; the library's own is four times as large
MOST_BYTES = 3 << 20  # of any stream of a case
MOST_CALLED = 2_000  # rows a function is called with
FACTORS = (1.0, 1.0, 1.0, 1.05, 1.3, 2.0, 5.0, 20.0)
RATIOS = (0, 1 / 7, 0.5, 1, 1, 2, 5, 20, 100)


@dataclass(frozen=True, slots=True)
class Tree:
    """An operator over the trees it reads, and the rows it makes of them."""

    name: str
    operator: Any
    rows: Stream
    below: tuple[Tree, ...] = ()
    heaviest: int = 0
    ordered: bool = True

    def parts(self) -> list[Tree]:
        """Every tree in it, inputs first."""
        return [part for tree in self.below for part in tree.parts()] + [self]

    def __str__(self) -> str:
        below = ", ".join(map(str, self.below))
        return f"{self.name}({below})" if below else self.name


@dataclass(frozen=True, slots=True)
class Squeeze:
    """At pass `at` of the loop the pool gets this share of itself, and whether anything is lent ahead."""

    at: int
    share: float
    paused: bool


@dataclass(frozen=True)
class Case:
    """What is run, and what may become of it.

    `fails` says that one of `errors` is due when everything is read; else they may come and need not.
    """

    seed: int
    columns: Columns
    tree: Tree
    factor: float
    threads: int
    delays: Delays
    objects: Objects
    workers: int
    consumer_pauses: tuple[float, ...]
    errors: tuple[type[BaseException], ...] = ()
    fails: bool = False
    leave_after: int | None = None
    cancel_at: int | None = None
    full_at: int | None = None
    squeezes: tuple[Squeeze, ...] = ()

    def __str__(self) -> str:
        shown = [f"seed {self.seed}: {self.tree}"]
        shown += [f"  {part.name}: {part.operator!r:.300} → {len(part.rows)} rows" for part in self.tree.parts()]
        settings = {name: value for name, value in vars(self).items() if name not in ("seed", "tree")}
        return "\n".join([*shown, f"  {settings}"])


@dataclass
class Draw:
    """Draws one case. Workers die and starve by `fate`, None where they never do."""

    random: Random
    fate: Random | None = None
    columns: Columns = field(default_factory=Columns)
    objects: Objects | None = None
    next_id: int = 1
    errors: list[type[BaseException]] = field(default_factory=list)
    certain: bool = False

    def case(self, seed: int) -> Case:
        random = self.random
        self.columns = Columns(random.random() < 0.5, random.random() < 0.4, random.random() < 0.15)
        sizes = [random.choice([0, 10, 900, 9_000, 40_000]) for _ in range(5)]
        missing = random.choice([0, 0, 0, 5])
        self.objects = Objects(tuple(sizes), random.choice([0, 1, 2, 3]), random.choice([0, 0, 4]), missing)
        end = random.choices(["whole", "leave", "fail", "cancel"], [66, 10, 10, 14])[0]
        tree = self.tree(2)
        if self.fate is not None and self.columns.twin and len(tree.rows) <= MOST_CALLED and self.fate.random() < 0.6:
            tree = self.function(tree)
        if end == "fail":
            tree = self.failing(tree)
        full = random.randrange(4) if random.random() < 0.04 else None
        delays = random.choice([Delays(1.0), Delays(1.0), Delays(), Delays(0.5), Delays(0.9, 0.1, 1.0)])
        return Case(
            seed=seed,
            columns=self.columns,
            tree=tree,
            factor=random.choice(FACTORS),
            threads=random.choice([1, 1, 2, 4]),
            delays=delays,
            objects=self.objects,
            workers=random.choice([1, 2, 3]),
            consumer_pauses=tuple(random.choice([(0.0,), (0.0,), (0.003,), (0.0, 0.4, 0.0), (0.1,)])),
            errors=(*self.errors, *((SpillDiskFull,) if full is not None else ())),
            fails=self.certain,
            leave_after=random.randrange(1, 7) if end == "leave" else None,
            cancel_at=random.choice([random.randrange(1, 60), random.randrange(1, 1500)]) if end == "cancel" else None,
            full_at=full,
            squeezes=self.squeezes() if random.random() < 0.25 else (),
        )

    def squeezes(self) -> tuple[Squeeze, ...]:
        random, at, made = self.random, 0, []
        for _ in range(random.randrange(1, 6)):
            at += random.choice([3, 20, 100])
            made.append(Squeeze(at, random.choice([0.0, 0.0, 0.2, 0.7, 1.0]), random.random() < 0.4))
        return (*made, Squeeze(at + 60, 1.0, paused=False))

    def tree(self, depth: int) -> Tree:
        random = self.random
        if depth and random.random() < 0.3:
            below = tuple(self.tree(depth - 1) for _ in range(random.choice([1, 2, 2, 3])))
            in_turn = random.random() < 0.4
            operator, rows = (InTurn() if in_turn else Concat()), joined([part.rows for part in below])
            ordered = all(part.ordered for part in below) and not (in_turn and len(below) > 1)
            tree = Tree(type(operator).__name__, operator, rows, below, rows.heaviest, ordered)
        else:
            tree = self.source()
        for _ in range(random.choice([0, 1, 1, 2, 3, 4]) if depth == 2 else random.choice([0, 1, 1])):
            tree = self.step(tree)
        return tree

    # sources

    def source(self) -> Tree:
        random = self.random
        given = self.given()
        rows = joined(given.batches) if given.batches else stream(0, [])
        kinds = ["raw"] if self.columns.shade else ["raw", "raw", "items", "items", "table"]
        match random.choice(kinds):
            case "raw":
                made = replace(given, pins=1) if given.pins > 4 else given
                return Tree("raw", Raw(made), rows, (), rows.heaviest)
            case "items":
                operator = batches_source(given.items, self.columns.schema).operator()
                return Tree("items", operator, rows, (), rows.heaviest)
            case _:
                batches = [batch_of(batch, self.columns) for batch in given.batches]
                table = pa.Table.from_batches(batches, self.columns.schema)
                return Tree("table", arrow_source(table).operator(), rows, (), rows.heaviest)

    def given(self) -> Piecewise:
        random = self.random
        batches = []
        for _ in range(random.choice([0, 1, 3, 6, 12])):
            count = random.choice([0, 1, 1, 2, 7, 30, 60])
            batches.append(stream(self.next_id, self.sizes(count)))
            self.next_id += count
        pause = random.choice([0.0, 0.0, 0.0, 0.004, 0.15])
        pauses = tuple(pause * (random.random() < 0.5) for _ in batches)
        return Piecewise(tuple(batches), self.columns, pauses, random.choice([1, 1, 1, 3, 20]))

    def sizes(self, count: int) -> list[int]:
        """Sizes of `fat`: small; about a batch together; one row larger than a batch, a floor, the reserve."""
        random = self.random
        most = random.choice([0, 20, 400, 400, 3 * UNIT // max(1, count)])
        made = [random.randrange(most + 1) for _ in range(count)]
        if count and random.random() < 0.12:
            made[random.randrange(count)] = int(UNIT * random.choice([0.6, 1.1, 1.1, 2.5, 6]))
        return made

    # steps

    def step(self, tree: Tree) -> Tree:
        choices = [self.inflate, self.inflate, self.kernel, self.kernel, self.window, self.computing, self.explode]
        if self.columns.url and len(tree.rows) <= 300:
            choices += [self.download, self.download]
        if self.columns.twin and len(tree.rows) <= MOST_CALLED:
            choices += [self.function, self.function]
        return self.random.choice(choices)(tree)

    def kernel(self, tree: Tree) -> Tree:
        random, rows = self.random, tree.rows
        kinds = ["hold", "keep", "coalesce", "into"] + (["limit", "offset"] if tree.ordered else [])
        match random.choice(kinds):
            case "hold":
                return self._above("hold", tree, Transform(Hold), rows)
            case "keep":
                nth = random.choice([1, 2, 2, 9, 10**9])
                keep = Transform(Maker(Keep, nth), stateless=True)
                return self._above("keep", tree, keep, rows[rows.x % nth == 0])
            case "coalesce":
                target = random.choice([64, UNIT // 4, UNIT // 2])
                return self._above("coalesce", tree, Transform(Maker(Coalesce, target)), rows)
            case "into":
                size = random.choice([1, 7, 25, 4_000])
                if size == 1 and len(rows) > 200:
                    size = 7
                return self._above("into", tree, Transform(Maker(IntoBatches, size)), rows)
            case "limit":
                most = random.choice([0, 1, 40, 500])
                return self._above("limit", tree, Transform(Maker(Limit, most)), rows[:most])
            case _:
                first = random.choice([0, 1, 33])
                return self._above("offset", tree, Transform(Maker(Offset, first)), rows[first:])

    def inflate(self, tree: Tree) -> Tree:
        """Each row so many times; half of the time the ratio jumps in the middle of the stream."""
        random, rows = self.random, tree.rows
        at = int(random.choice(rows.x)) if len(rows) and random.random() < 0.5 else 0
        for _ in range(4):
            low, high = random.choice(RATIOS), random.choice(RATIOS)
            made = rows[np.repeat(np.arange(len(rows)), counts(rows.x, low, high, at))]
            if made.bytes <= MOST_BYTES and len(made) <= 20_000:
                rude = random.random() < 0.2
                stateless = random.random() < 0.6
                kernel = Transform(Maker(Inflate, low, high, at, rude), stateless=stateless)
                return self._above("rude" if rude else "inflate", tree, kernel, made)
        return self.kernel(tree)

    def explode(self, tree: Tree) -> Tree:
        most, rows = self.random.choice([1, 2, 3, 9]), tree.rows
        made = rows[np.repeat(np.arange(len(rows)), np.maximum(1, rows.x % most))]
        if made.bytes > MOST_BYTES:
            return tree
        return self._above("explode", tree, Transform(Maker(Exploding, most), stateless=True), made)

    def window(self, tree: Tree) -> Tree:
        random = self.random
        pauses = random.choice([(0.0,), (0.003,), (0.2, 0.0, 0.0), (0.0, 0.0, 0.0, 0.4)])
        return self._above("window", tree, Window(random.randrange(1, 6), pauses), tree.rows)

    def computing(self, tree: Tree) -> Tree:
        share, pause = self.random.choice([0.1, 1, 4, 100]), self.random.choice([0, 0.01])
        return self._above("computing", tree, Computing(share, pause), tree.rows)

    def download(self, tree: Tree) -> Tree:
        random, rows, objects = self.random, tree.rows, self.objects
        assert objects is not None
        missing = objects.is_missing(rows.x)
        on_error = "raise" if not missing.any() or random.random() < 0.2 else "null"
        sizes = objects.size(rows.x)
        made = Stream(rows.x, np.where(missing, NULL, sizes), rows.y)
        if made.bytes > MOST_BYTES:
            return tree
        most = 1_000 if random.random() < 0.1 else None
        if most is not None:
            self.errors.append(LimitExceeded)
            on_error = "raise"
        if on_error == "raise" and missing.any():
            self.errors.append(ObjectMissing)
        connections = random.choice([1, 2, 8])
        step = Download(max_connections=connections, on_error=on_error, max_bytes=most)
        operator = DownloadColumn(step, "url", "fat", connections, self.columns.schema)
        return self._above("download", tree, operator, made)

    def function(self, tree: Tree) -> Tree:
        """A user function that may raise at rows, raise or end its worker at calls, and make more than it gets."""
        random, rows = self.random, tree.rows
        kind = random.choice(["array", "row", "batch"])
        on_error = random.choice(["raise", "raise", "drop"] if kind == "batch" else ["raise", "null", "drop"])
        retries = random.choice([0, 0, 2])
        dies = (random.randrange(1, 5),) if random.random() < 0.2 else ()
        raises = (random.randrange(1, 5),) if random.random() < 0.2 else ()
        if raises and on_error != "raise":
            raises = ()  # rows might be blamed for what the call did
        behaviour = Behaviour(random.choice([0, 0, 3, 50]), dies, raises)
        if kind == "batch":
            low, high = random.choice(RATIOS), random.choice(RATIOS)
            at = int(random.choice(rows.x)) if len(rows) else 0
            behaviour = replace(behaviour, low=low, high=high, at=at, pieces=random.choice([1, 3]))
        if self.fate is not None:
            behaviour = self.mortal(behaviour)
        made = self.called(rows, kind, on_error, behaviour)
        if made.bytes > MOST_BYTES or len(made) > 20_000:
            return tree
        may_use_retries_up = bool(behaviour.chance or behaviour.hungry_rows or behaviour.most_rows)
        if (raises and (not retries or may_use_retries_up)) or (on_error == "raise" and behaviour.is_bad(rows.x).any()):
            self.errors.append(UdfError)
        was_sent = kind == "batch" and on_error == "raise" and not retries and behaviour.chance and behaviour.late
        if was_sent or (on_error == "raise" and behaviour.is_deadly(rows.x).any()):
            self.errors.append(WorkerDied)
        if on_error == "raise" and behaviour.is_starving(rows.x).any():
            self.errors.append(UdfMemoryExceeded)
        function = UserFunction(
            name=f"drawn_{kind}", function=drawn, kind=kind, return_type=pa.int64(), args=(behaviour,),
            batch_size=random.choice([None, None, 5, 100]), on_error=on_error, retries=retries,
        )  # fmt: skip
        schema, letters = self.columns.schema, Kept()
        match kind:
            case "array":
                operator = MapArrays(function, ("x",), "y", schema, letters)
            case "row":
                operator = MapRows(function, ("x",), "y", schema, letters)
            case _:
                operator = MapBatches(function, schema, letters)
        return self._above(f"{kind} function", tree, operator, made)

    def mortal(self, behaviour: Behaviour) -> Behaviour:
        """As `behaviour`, whose workers die by some rows and by chance, and lack memory."""
        assert self.fate is not None
        choice = self.fate.choice
        return replace(
            behaviour,
            deadly_rows=choice([0, 0, 0, 7, 90]),
            starving_rows=choice([0, 0, 0, 0, 11, 80]),
            hungry_rows=choice([0, 0, 0, 9]),
            most_rows=choice([0, 0, 0, 1, 4, 30]),
            chance=choice([0.0, 0.0, 0.1, 0.5]),
            late=choice([False, False, True]),
            work_bytes=choice([0, 0, 100, 5_000]),
        )

    def called(self, rows: Stream, kind: str, on_error: str, behaviour: Behaviour) -> Stream:
        """What comes out of a user function."""
        lost = behaviour.is_lost(rows.x)
        if kind == "batch":
            kept = rows[~lost] if on_error == "drop" else rows
            return kept[np.repeat(np.arange(len(kept)), counts(kept.x, behaviour.low, behaviour.high, behaviour.at))]
        made = Stream(rows.x, rows.fat, np.where(lost, NULL, 3 * rows.x + 1))
        return made[~lost] if on_error == "drop" else made

    # failures

    def failing(self, tree: Tree) -> Tree:
        """Something raises for certain when all is read: the last stage at a row, or a source at its end."""
        self.errors.append(Boom)
        rows = tree.rows
        if len(rows) and self.random.random() < 0.6:
            self.certain = True
            kernel = Transform(Maker(Failing, int(self.random.choice(rows.x))), stateless=self.random.random() < 0.5)
            return self._above("failing", tree, kernel, rows)
        self.certain = True
        given = self.given()
        given = replace(given, fail_at=self.random.randrange(len(given.batches) + 1))
        before = joined([stream(0, []), *given.batches[: given.fail_at]])
        both = (tree, Tree("failing source", Raw(given), before, (), before.heaviest))
        heaviest = max(tree.heaviest, before.heaviest)
        return Tree("Concat", Concat(), joined([rows, before]), both, heaviest, tree.ordered)

    def _above(self, name: str, tree: Tree, operator: Any, rows: Stream) -> Tree:
        return Tree(name, operator, rows, (tree,), max(tree.heaviest, rows.heaviest), tree.ordered)


class Maker:
    """Makes a kernel; its repr shows how."""

    def __init__(self, kind: Callable[..., Any], *arguments: Any) -> None:
        self.kind, self.arguments = kind, arguments

    def __call__(self) -> Any:
        return self.kind(*self.arguments)

    def __repr__(self) -> str:
        return f"{self.kind.__name__}{self.arguments}"


def drawn(*_: Any) -> None:
    """Stands for a user's function; what it does is in `outside.Call`."""


def draw(seed: int, *, mortal: bool = True) -> Case:
    """The case of `seed`; without `mortal` as before workers died by more than one call."""
    return Draw(Random(seed), Random(f"fate {seed}") if mortal else None).case(seed)
