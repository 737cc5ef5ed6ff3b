"""Chain: who waits for whom. From a blocked stage to the one that everybody on the way waits for.

The walk follows what a stage waits for: room, to its reader; input, to its writer; memory or the outside ends it. A
stage that is busy ends it too: it is the root, and lacks what its other calls wait for meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass

from brim.events import Resource, Waits
from brim.operators.user_functions.user_function import UserFunction
from brim.pipeline.run import CONSUMER, Run
from brim.pipeline.stage_clock import StageClock


@dataclass(frozen=True, slots=True)
class Chain:
    """Stage ids from the one that waits to the root, and the resource the root lacks or is."""

    ids: tuple[str, ...]
    reason: Resource

    @property
    def root(self) -> str:
        return self.ids[-1]


def chain_from(run: Run, index: int) -> Chain:
    """Walk from stage `index` of `run` to the root of its wait."""
    ids = [run.states[index].id]
    state = run.states[index]
    while True:
        if state.clock.state == Waits.ROOM:
            if (reader := run.readers.get(index)) is None:
                return Chain((*ids, CONSUMER), _consumer_reason(run))
            index = reader
        elif state.clock.state == Waits.INPUT:
            waited = next((i for i in run.plan.stages[index].inputs if not run.queues[i].held_bytes), None)
            if waited is None or run.states[waited].id in ids:
                return Chain(tuple(ids), Resource.NO_INPUT)
            index = waited
        else:
            return Chain(tuple(ids), _reason(run, index))
        state = run.states[index]
        if state.id in ids:
            return Chain(tuple(ids), _reason(run, index))
        ids.append(state.id)


def chain_of_consumer(run: Run) -> Chain | None:
    """Why the consumer waits, where it waits for a batch."""
    if run.consumer.clock.state != Waits.INPUT or run.output.held_bytes or not run.states:
        return None
    chain = chain_from(run, len(run.states) - 1)
    return Chain((CONSUMER, *chain.ids), chain.reason)


def _reason(run: Run, index: int) -> Resource:
    clock = run.states[index].clock
    match clock.state:
        case Waits.MEMORY:
            return Resource.MEMORY
        case Waits.OUTSIDE:
            return clock.resource or Resource.NO_INPUT
        case _:
            return _lacking(clock, _slots(run, index))


def _lacking(clock: StageClock, slots: int) -> Resource:
    """What keeps a stage that computes from computing more: what its other calls wait for, else the processor.

    Who waits for memory while all `slots` are taken would wait for one of these next.
    """
    if clock.awaits(Waits.MEMORY) and clock.computing < slots:
        return Resource.MEMORY
    others = (Resource.MEMORY, Resource.THROTTLED, Resource.RATE_LIMIT, Resource.WORKERS)
    return next((resource for resource in others if clock.awaits(resource)), Resource.CPU)


def _slots(run: Run, index: int) -> int:
    """How many calls of a stage can compute at once: on its workers, where it has some, or in threads."""
    function = getattr(run.plan.stages[index].operator, "function", None)
    workers = run.plan.workers.get(function) if isinstance(function, UserFunction) else None
    return run.world.threads.count if workers is None else workers


def _consumer_reason(run: Run) -> Resource:
    return Resource.MEMORY if run.consumer.clock.state == Waits.MEMORY else Resource.CONSUMER
