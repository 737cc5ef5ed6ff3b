"""Snapshot: what a run looks like at one moment. Frozen, for progress, pages and the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from brim.events import Waits
from brim.pipeline.bottleneck import Bottleneck, slowest
from brim.pipeline.chain import chain_from, chain_of_consumer
from brim.pipeline.expected_rows import expected_rows
from brim.pipeline.nodes import Write
from brim.pipeline.run import Run
from brim.pipeline.stage_clock import BUSY


@dataclass(frozen=True, slots=True)
class StageSnapshot:
    """One stage: what went through it, where its time went, and what lies in the queue behind it.

    `state` is ``"ended"``, ``"busy"`` or what it waits for: ``"input"``, ``"room"``, ``"memory"``, ``"outside"``;
    `resource` is what of the outside. While it waits, `root` is the stage at the end of who waits for whom, and
    `root_reason` what that one lacks or does. `inputs` are the places of the stages it reads. `writes` is true for a
    sink, whose own rows are files. `rows_expected` is how many rows it will have sent at its end, where that is known.
    """

    id: str
    name: str
    detail: str
    state: str
    rows_in: int
    rows_out: int
    bytes_in: int
    bytes_out: int
    busy_s: float
    waiting_for_input_s: float
    waiting_for_room_s: float
    waiting_for_memory_s: float
    waiting_for_outside_s: float
    queue_batches: int
    queue_bytes: int
    inputs: tuple[int, ...] = ()
    resource: str | None = None
    root: str | None = None
    root_reason: str | None = None
    writes: bool = False
    rows_expected: int | None = None


@dataclass(frozen=True, slots=True)
class RunSnapshot:
    """One run: its stages, sources first, and the memory of its engine; `queue_limit` is the most a queue may hold.

    `bottleneck` is what most of those that wait now wait for, by the share of them; None where nobody waits.
    `held_bytes` are its floors and what it is lent; `weight` is its part beside other runs.
    """

    seconds: float
    stages: tuple[StageSnapshot, ...]
    ledger_used: int
    ledger_limit: int
    queue_limit: int = 0
    bottleneck: Bottleneck | None = None
    run_id: str = ""
    weight: float = 1.0
    held_bytes: int = 0


def snapshot(run: Run) -> RunSnapshot:
    """How `run` stands now."""
    clock = run.consumer.clock
    began, ended = clock.started, clock.ended
    seconds = 0.0 if began is None else (clock.now() if ended is None else ended) - began
    ledger = run.world.ledger
    expected = {} if run.plan.planned is None else expected_rows(run.plan.planned, _sent(run))
    stages = tuple(_stage(run, index, expected) for index in range(len(run.states)))
    return RunSnapshot(
        seconds,
        stages,
        ledger.used,
        ledger.limit,
        run.plan.allotment.floor_bytes + ledger.ahead_limit,
        _bottleneck(run, stages),
    )


def _bottleneck(run: Run, stages: tuple[StageSnapshot, ...]) -> Bottleneck | None:
    """The root that most of those that wait have in common, the consumer one of them."""
    roots: Counter[tuple[str, str]] = Counter(
        (stage.root, stage.root_reason) for stage in stages if stage.root and stage.root_reason
    )
    if run.consumer.clock.ended is None and (chain := chain_of_consumer(run)) is not None:
        roots[chain.root, str(chain.reason)] += 1
    found = slowest(roots)
    return None if found is None else Bottleneck(*found)


def _sent(run: Run) -> dict[str, int]:
    """Rows of the nodes whose stages have ended: a filter that has seen all says what those after it will see."""
    parts = zip(run.plan.stages, run.states, run.queues, strict=True)
    return {
        stage.nodes[-1]: queue.statistics().rows
        for stage, state, queue in parts
        if stage.nodes and state.clock.ended is not None
    }


def _stage(run: Run, index: int, expected: Mapping[str, int | None]) -> StageSnapshot:
    stage, state, queue = run.plan.stages[index], run.states[index], run.queues[index].statistics()
    read = [run.queues[i].statistics() for i in stage.inputs]
    seconds = state.clock.read()
    lives = state.clock.started is not None and state.clock.ended is None
    waits = lives and state.clock.state in (Waits.INPUT, Waits.ROOM, Waits.MEMORY)
    chain = chain_from(run, index) if waits else None
    return StageSnapshot(
        id=stage.id,
        name=stage.name,
        detail=stage.detail,
        state="ended" if state.clock.ended is not None else state.clock.state,
        rows_in=sum(facts.taken_rows for facts in read),
        rows_out=queue.rows,
        bytes_in=sum(facts.taken_bytes for facts in read),
        bytes_out=queue.bytes,
        busy_s=seconds[BUSY],
        waiting_for_input_s=seconds[Waits.INPUT],
        waiting_for_room_s=seconds[Waits.ROOM],
        waiting_for_memory_s=seconds[Waits.MEMORY],
        waiting_for_outside_s=seconds[Waits.OUTSIDE],
        queue_batches=queue.held_batches,
        queue_bytes=queue.held_bytes,
        inputs=stage.inputs,
        resource=state.clock.resource,
        root=None if chain is None else chain.root,
        root_reason=None if chain is None else str(chain.reason),
        writes=isinstance(run.plan.declared, Write) and index == len(run.states) - 1,
        rows_expected=expected.get(stage.nodes[-1]) if stage.nodes else None,
    )
