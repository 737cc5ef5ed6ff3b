"""One run of a plan: one task a stage, one queue an edge. The only file that starts stage tasks.

Closing is the whole protocol of the end: a stage that has finished closes its reader's and its writer's side. A stage
that failed does not say that it has finished, so nobody downstream takes half an input for a whole one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import anyio

from brim.errors import BrimError, StageFailed, Stalled
from brim.events import Fact, Waits
from brim.operators.beside import beside
from brim.operators.lightly import lightly
from brim.operators.protocol import ReaderGone
from brim.operators.user_functions.own_cancellation import is_its_own
from brim.pipeline.account import Account
from brim.pipeline.byte_queue import ByteQueue
from brim.pipeline.plan import Plan
from brim.pipeline.run_ledger import RunLedger
from brim.pipeline.stage_clock import StageClock
from brim.pipeline.stage_memory import StageMemory
from brim.pipeline.stage_state import StageState
from brim.pipeline.task import Task
from brim.pipeline.world import World

CONSUMER = "consumer"
STALL_TICKS = 3


@dataclass(eq=False, slots=True, weakref_slot=True)
class Run:
    """A plan on its way through a world. `output` is what the consumer reads.

    `on_fact` gets what operators tell; `on_tick` is called every `tick_s`, for whoever watches, and `slower` by so many
    times where an engine has many runs to look at.
    """

    plan: Plan
    world: World
    on_fact: Callable[[str, Fact], None]
    on_tick: Callable[[float], None]
    tick_s: float = 0.05
    alone: Callable[[], bool] = lambda: True
    slower: Callable[[], float] = lambda: 1.0
    account: Account | None = None
    states: tuple[StageState, ...] = field(init=False)
    consumer: StageState = field(init=False)
    queues: tuple[ByteQueue, ...] = field(init=False)
    readers: dict[int, int] = field(init=False)  # the place of the stage that reads each
    _memories: tuple[StageMemory, ...] = field(init=False)

    def __post_init__(self) -> None:
        stages, allotment, world = self.plan.stages, self.plan.allotment, self.world
        ledger = RunLedger(world.ledger, self.account)
        self.states = tuple(
            StageState(stage.id, stage.name, rank, StageClock(world.clock.now), self.on_fact)
            for rank, stage in enumerate(stages)
        )
        self.consumer = StageState(CONSUMER, CONSUMER, len(stages), StageClock(world.clock.now), self.on_fact)
        self._memories = tuple(
            StageMemory(ledger, world.oversize, state, stage.operator.window_bytes(allotment.floor_bytes))
            for state, stage in zip(self.states, stages, strict=True)
        )
        self.readers = {i: k for k, stage in enumerate(stages) for i in stage.inputs}
        readers = {i: self.states[k] for i, k in self.readers.items()}
        self.queues = tuple(
            ByteQueue(ledger, world.oversize, allotment.floor_bytes, state, readers.get(i, self.consumer))
            for i, state in enumerate(self.states)
        )

    @property
    def output(self) -> ByteQueue:
        return self.queues[-1]

    async def execute(self) -> None:
        """Run every stage to its end. Raises one `StageFailed`, or `Stalled`; other failures become its notes."""
        self.consumer.clock.start()
        try:
            async with beside(self._watch), anyio.create_task_group() as tasks:
                for index in range(len(self.states)):
                    tasks.start_soon(lightly, self._run_stage, index, name=f"brim {self.states[index].id}")
        except BaseExceptionGroup as group:
            first = _one(group)
            raise first from first.__cause__
        finally:
            for queue, memory in zip(self.queues, self._memories, strict=True):
                if queue is not self.output:
                    queue.close_reader()
                memory.close()
            self.output.close_writer()
            self.consumer.clock.stop()

    async def _run_stage(self, index: int) -> None:
        stage, state, memory = self.plan.stages[index], self.states[index], self._memories[index]
        inboxes, outbox = [self.queues[i] for i in stage.inputs], self.queues[index]
        state.clock.start()
        try:
            places = self.plan.places.get(stage.id, ())
            task = Task(state, self.world, memory, self.plan.allotment.batch_bytes, self.plan.workers, places)
            try:
                await stage.operator.run(inboxes, outbox, task)
            except* ReaderGone:
                pass  # downstream has enough: an ordinary end
            outbox.close_writer()
        except BaseException as error:
            cause = first_leaf(error)
            if not isinstance(cause, Exception | SystemExit) and not is_its_own(cause):
                raise  # a cancellation, or Ctrl-C: not the stage's
            raise StageFailed(stage.name, stage.id, f"{type(cause).__name__}: {cause}") from cause
        finally:
            for inbox in inboxes:
                inbox.close_reader()
            memory.close()
            state.clock.stop()

    async def _watch(self) -> None:
        """Call `on_tick`, and end the run when every stage waits for another and nothing moves."""
        still, moved = 0, -1
        while True:
            await self.world.clock.sleep(self.tick_s * self.slower())
            self.on_tick(self.world.clock.now())
            before, moved = moved, sum(q.statistics().batches - q.statistics().held_batches for q in self.queues)
            still = still + 1 if moved == before and self._blocked() else 0
            if still == STALL_TICKS:
                raise Stalled(self.picture())

    def _blocked(self) -> bool:
        """Whether everybody waits for somebody else, the consumer included."""
        live = [state.clock for state in self.states if state.clock.started is not None and state.clock.ended is None]
        inside = (Waits.INPUT, Waits.ROOM, Waits.MEMORY)
        return bool(live) and self.alone() and all(clock.state in inside for clock in [*live, self.consumer.clock])

    def picture(self) -> str:
        """The stages and their queues, a line each."""
        ledger = self.world.ledger
        lines = [f"ledger: {ledger.used:,} of {ledger.limit:,} bytes used, pool {ledger.pool:,}"]
        for state, queue in zip(self.states, self.queues, strict=True):
            facts = queue.statistics()
            lines.append(
                f"{state.id}: {'ended' if state.clock.ended is not None else state.clock.state}; "
                f"out {facts.batches} batches, {facts.held_batches} of them ({facts.held_bytes:,} bytes) in the queue"
            )
        return "\n".join([*lines, f"{CONSUMER}: {self.consumer.clock.state}"])


def first_leaf(error: BaseException) -> BaseException:
    """The first error of a group of groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for part in error.exceptions for leaf in _leaves(part)]
    return [error]


def _one(group: BaseExceptionGroup) -> BaseException:
    """The first failure of the run, with the others as notes; a cancellation stays what it is."""
    leaves = _leaves(group)
    first = next((leaf for leaf in leaves if isinstance(leaf, BrimError)), leaves[0])
    for other in leaves:
        if other is not first:
            first.add_note(f"also: {other}")
    return first
