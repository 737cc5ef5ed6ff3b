"""Chain: who waits for whom. From a blocked stage to the one that everybody on the way waits for.

The walk follows what a stage waits for: room, to its reader; input, to its writer; memory or the outside ends it. A
stage that is busy ends it too: it is the root.
"""

from __future__ import annotations

from dataclasses import dataclass

from brim.events import Resource, Waits
from brim.pipeline.run import CONSUMER, Run
from brim.pipeline.stage_state import StageState


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
    readers = {i: k for k, stage in enumerate(run.plan.stages) for i in stage.inputs}
    ids = [run.states[index].id]
    state = run.states[index]
    while True:
        if state.clock.state == Waits.ROOM:
            if (reader := readers.get(index)) is None:
                return Chain((*ids, CONSUMER), _consumer_reason(run))
            index = reader
        elif state.clock.state == Waits.INPUT:
            waited = next((i for i in run.plan.stages[index].inputs if not run.queues[i].held_bytes), None)
            if waited is None or run.states[waited].id in ids:
                return Chain(tuple(ids), Resource.NO_INPUT)
            index = waited
        else:
            return Chain(tuple(ids), _reason(state))
        state = run.states[index]
        if state.id in ids:
            return Chain(tuple(ids), _reason(state))
        ids.append(state.id)


def _reason(state: StageState) -> Resource:
    match state.clock.state:
        case Waits.MEMORY:
            return Resource.MEMORY
        case Waits.OUTSIDE:
            return state.clock.resource or Resource.NO_INPUT
        case _:
            return Resource.CPU


def _consumer_reason(run: Run) -> Resource:
    return Resource.MEMORY if run.consumer.clock.state == Waits.MEMORY else Resource.CONSUMER
