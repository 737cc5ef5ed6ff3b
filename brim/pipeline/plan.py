"""What will run: a frozen tree of stages and what each may hold. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from brim.io.workers.devices import Place
from brim.operators.protocol import Operator
from brim.operators.user_functions.user_function import UserFunction
from brim.pipeline.nodes import Node

Places = Mapping[str, tuple[Place, ...]]
"""Where the workers of each stage that pins them to devices sit, by its id."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One operator that will run as a task of its own.

    Attributes:
        id: the id of the node it was lowered from; unique in the plan.
        name: the operator's name, as the user knows it.
        detail: its arguments, for people.
        operator: the frozen specification.
        inputs: indices of the stages it reads, all smaller than its own.
        schema: what it sends.
        nodes: ids of all declared nodes it does the work of.
    """

    id: str
    name: str
    detail: str
    operator: Operator
    inputs: tuple[int, ...]
    schema: pa.Schema
    nodes: tuple[str, ...]
    one_shot: int | None = None


@dataclass(frozen=True, slots=True)
class Allotment:
    """How one plan divides its memory, in bytes.

    `given` = `base` + `pad` + `floors` + `oversize` + `pool`. A batch aims at `batch_bytes`; its floor is
    `floor_bytes`, twice that, because buffers that a batch pins and estimates may double it.
    """

    given: int
    base: int
    pad: int
    floors: int
    oversize: int
    pool: int
    floor_bytes: int
    batch_bytes: int
    stage_floors: tuple[int, ...]

    @property
    def ledger(self) -> int:
        return self.floors + self.oversize + self.pool


@dataclass(frozen=True, slots=True)
class Plan:
    """Stages in an order in which every stage comes after what it reads; the last is the root.

    `workers` says how many processes each function that runs in some may have, `places` on which devices. One that is
    `small` is let in beside as many as the engine is divided between.
    """

    declared: Node
    planned: Node
    stages: tuple[Stage, ...]
    allotment: Allotment
    workers: Mapping[UserFunction, int] = field(default_factory=dict)
    places: Places = field(default_factory=dict)
    small: bool = False

    @property
    def schema(self) -> pa.Schema:
        return self.stages[-1].schema
