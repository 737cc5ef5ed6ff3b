"""Cases of user functions: on the loop, in threads, in worker processes, and in workers that are inside C code."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import brim
from brim import col
from brim.sizes import MIB

from . import functions
from .case import Case, Make
from .functions import column
from .functions import rows as row_column
from .operators import flat
from .targets import InFolder, Target
from .world import World

WORKERS_MEMORY = 700 * MIB
RUNS_AN_ENGINE = 25


def made(world: World, function: Any) -> brim.Pipeline:
    """The rows, and what `function` makes of each."""
    return flat(world).with_columns(made=function(col("id")))


def _in_c(call: Callable[..., Any], world: World) -> brim.Pipeline:
    return made(world, column(partial(call, str(world.out)), concurrency=2))


def _letters(world: World, **options: Any) -> brim.Pipeline:
    function = column(functions.odd_raise, on_error="null", dead_letter=str(world.out / "letters"), **options)
    return flat(world).limit(150).with_columns(made=function(col("id")))


HERE: dict[str, Make] = {
    "udf on the loop": lambda world: made(world, column(functions.triple_soon)),
    "row_udf on the loop": lambda world: made(world, row_column(functions.triple_later, concurrency=16)),
    "udf in threads": lambda world: made(world, column(functions.triple, backend="thread", batch_size=100)),
    "row_udf in threads": lambda world: made(world, row_column(functions.triple_one, backend="thread")),
    "map_batches in threads": lambda world: flat(world).map_batches(functions.in_halves, backend="thread"),
    "udf in threads, dead letters": lambda world: _letters(world, backend="thread"),
}
IN_WORKERS: dict[str, Make] = {
    "udf in workers": lambda world: made(world, column(functions.triple, batch_size=100)),
    "class in workers": lambda world: made(world, column(functions.Tripler, batch_size=100)()),
    "row_udf in workers": lambda world: made(world, row_column(functions.triple_one)),
    "map_batches in workers": lambda world: flat(world).map_batches(functions.in_halves),
    "udf in workers, dead letters": _letters,
}
IN_C: dict[str, Make] = {
    "sleep": partial(_in_c, functions.sleep_in_c),
    "hashlib": partial(_in_c, functions.hash_in_c),
    "numpy": partial(_in_c, functions.numpy_in_c),
    "the interpreter's lock": partial(_in_c, functions.hold_the_lock_in_c),
}


def target_of(name: str) -> Target | None:
    """Dead letters appear whole, or not at all."""
    return InFolder() if "letters" in name else None


CASES = (
    *(Case(name, make, target=target_of(name)) for name, make in HERE.items()),
    *(
        Case(name, make, kind="workers", memory=WORKERS_MEMORY, runs_an_engine=RUNS_AN_ENGINE, target=target_of(name))
        for name, make in IN_WORKERS.items()
    ),
    Case("first run in workers", IN_WORKERS["udf in workers"], kind="workers", memory=WORKERS_MEMORY),
    *(
        Case(f"in C: {name}", make, kind="in C", memory=WORKERS_MEMORY, runs_an_engine=RUNS_AN_ENGINE, endless=True)
        for name, make in IN_C.items()
    ),
)
