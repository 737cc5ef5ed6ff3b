"""Case: a small pipeline around one operator, how it is run, and how its target is judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import brim
from brim.sizes import KIB, MIB

from .targets import Target
from .world import World

Make = Callable[[World], brim.Pipeline]


@dataclass(frozen=True)
class Case:
    """One pipeline.

    Attributes:
        make: declares it; called anew for each run.
        kind: what its times are counted with: "computing", "I/O", "workers", "in C".
        memory: of its engine; None for the least it can be planned with.
        spills: whether the run must write to the spill folder, or it shows nothing.
        runs_an_engine: runs before the engine is closed and another opened; workers live as long.
        owned: whether the engine belongs to the run, whose awaits are then also those of opening and closing.
        endless: whether a call never returns: the run is cancelled at its k-th await, or after a while.
        target: what it writes, if it does.
        stores: whether it needs the server of an object store.
    """

    name: str
    make: Make
    kind: str = "computing"
    memory: int | None = 64 * MIB
    batch_bytes: int = 8 * KIB
    spills: bool = False
    runs_an_engine: int = 1
    owned: bool = False
    endless: bool = False
    target: Target | None = None
    stores: bool = False
