"""Observer: turns what operators tell and queues measure into events, counts and the report of one run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from weakref import ref

from brim.errors import StageFailed, Stalled
from brim.events import (
    BatchResized,
    Fact,
    Overshot,
    Resource,
    Retried,
    RowsFailed,
    Spilled,
    Throttled,
    Waits,
    WorkerEnded,
    WorkerMemory,
    WorkerOutput,
    WorkerRestarted,
    WorkerStarted,
)
from brim.pipeline.bottleneck import Bottleneck
from brim.pipeline.chain import Chain, chain_from, chain_of_consumer
from brim.pipeline.episodes import Episode, Turn
from brim.pipeline.gathering import Gathering, Told
from brim.pipeline.history import History, look
from brim.pipeline.kinds import OperatorKind, function_of, kind_of
from brim.pipeline.nodes import Write
from brim.pipeline.remedies import remedy
from brim.pipeline.report import OperatorReport, Report, WaitChain
from brim.pipeline.run import CONSUMER, Run
from brim.pipeline.snapshot import StageSnapshot, snapshot
from brim.pipeline.summaries import Summaries
from brim.pipeline.wait_causes import WaitCauses

ERROR_TEXTS = 20

Emit = Callable[[str, dict[str, Any]], None]


@dataclass(eq=False, slots=True)
class Observer:
    """Watches one run. `emit(event, fields)` is told of every event; `begin` is called before the first tick."""

    run_id: str
    emit: Emit
    retries: Counter[str] = field(default_factory=Counter)
    failed_rows: Counter[str] = field(default_factory=Counter)
    texts: dict[str, None] = field(default_factory=dict)
    spilled_bytes: int = 0
    _watched: ref[Run] | None = None  # which refers to this: a cycle would keep both until garbage is collected
    _gathering: Gathering = field(default_factory=Gathering)
    _episodes: dict[int, Episode] = field(default_factory=dict)
    _chains: dict[int, Chain] = field(default_factory=dict)
    _blocked: dict[int, float] = field(default_factory=dict)
    _causes: WaitCauses = field(default_factory=WaitCauses)
    _summaries: Summaries = field(default_factory=Summaries)
    _history: History = field(default_factory=History)
    _growth: int | None = None
    _peak_growth: int | None = None
    _last_tick: float | None = None

    @property
    def run(self) -> Run | None:
        """The run, from its begin on and for as long as somebody has it."""
        return None if self._watched is None else self._watched()

    def fact(self, operator_id: str, fact: Fact) -> None:
        """Count what an operator tells, and log what is an event."""
        match fact:
            case Retried(what=what, attempt=attempt, wait_s=wait_s, reason=reason):
                self.retries[operator_id] += 1
                fields = {"what": what, "attempt": attempt, "wait_s": wait_s, "cause": reason}
                self._gather("download.retry", operator_id, {}, **fields)
            case Throttled(function=function, wait_s=wait_s, reason=reason):
                self._gather("udf.throttled", operator_id, {}, function=function, wait_s=wait_s, cause=reason)
            case RowsFailed(what=what, rows=rows, reason=reason):
                self.failed_rows[operator_id] += rows
                if len(self.texts) < ERROR_TEXTS:
                    self.texts.setdefault(f"{operator_id}: {what}: {reason}")
                self._gather("row.error", operator_id, {"rows": rows}, what=what, cause=reason)
            case Spilled(size=size, read=read):
                self.spilled_bytes += 0 if read else size
                self._gather("spill.read" if read else "spill.write", operator_id, {"bytes": size})
            case BatchResized(rows=rows, reason=reason):
                self._gather("batch.resize", operator_id, {}, rows=rows, cause=reason)
            case Overshot(lent_bytes=lent, held_bytes=held):
                self._gather("batch.overshoot", operator_id, {}, lent_bytes=lent, held_bytes=held)
            case WorkerStarted(function=function, pid=pid, base_bytes=base, start_s=start_s):
                fields = {"function": function, "pid": pid, "base_bytes": base, "start_s": start_s}
                self._gather("worker.start", operator_id, {}, **fields)
            case WorkerRestarted(function=function, pid=pid, reason=reason, deaths=deaths, wait_s=wait_s):
                fields = {"function": function, "pid": pid, "cause": reason, "deaths": deaths, "wait_s": wait_s}
                self._gather("worker.restart", operator_id, {}, **fields)
            case WorkerMemory():
                fields = {"function": fact.function, "pid": fact.pid, "action": fact.action, "workers": fact.workers}
                sizes = {"held_bytes": fact.held_bytes, "lent_bytes": fact.lent_bytes}
                self._gather("worker.memory", operator_id, {fact.action: 1}, **fields, **sizes)
            case WorkerOutput(function=function, pid=pid, text=text, dropped_bytes=dropped):
                self._event("worker.output", operator_id, function=function, pid=pid, text=text, dropped_bytes=dropped)
            case WorkerEnded(function=function, pid=pid, reason=reason):
                self._event("worker.stop", operator_id, function=function, pid=pid, cause=reason)

    def tick(self, now: float) -> None:
        """Look at every stage: open and close episodes, and note who caused the waiting."""
        assert self.run is not None
        last, self._last_tick = self._last_tick, now
        self._tell(self._gathering.due(now))
        self._note_waiting(0.0 if last is None else now - last)
        for index, state in enumerate(self.run.states):
            if state.clock.started is None:
                continue
            seconds = state.clock.read()
            blocked = seconds[Waits.ROOM] + seconds[Waits.MEMORY]
            since = blocked - self._blocked.get(index, 0.0)
            self._blocked[index] = blocked
            if last is None or now <= last:
                continue
            episode = self._episodes.setdefault(index, Episode())
            if state.clock.ended is not None:
                self._turn(index, episode, episode.close())
            else:
                self._turn(index, episode, episode.look(now, since, now - last, self._chains.get(index)))

    def note_growth(self, growth: int, peak: int) -> None:
        """By how much the process tree has grown, and the most since the last look at it."""
        self._growth = growth
        self._peak_growth = peak if self._peak_growth is None else max(self._peak_growth, peak)

    def begin(self, run: Run) -> None:
        """Watch `run` from now on."""
        self._watched = ref(run)
        self._event("run.start", "", stages=[state.id for state in run.states], memory=run.plan.allotment.given)

    def end(self, error: BaseException | None) -> None:
        """The run has ended: close the episodes that are still open."""
        assert self.run is not None
        for index, episode in self._episodes.items():
            self._turn(index, episode, episode.close())
        self._sample({})
        self._tell(self._gathering.rest(self._now()))
        if isinstance(error, Stalled):
            self._event("stall", "", picture=error.picture)
        left = "stopped" if self.run.output.reader_gone else "ok"  # who reads has left before the end
        outcome = left if error is None else type(error).__name__
        last = snapshot(self.run).stages[-1]
        rows = last.rows_in if isinstance(self.run.plan.planned, Write) else last.rows_out
        failed = {"failed": error.operator_id} if isinstance(error, StageFailed) else {}
        self._event("run.stop", "", outcome=outcome, rows=rows, **failed)

    def report(self, run: Run, rows: int, memory: int, peak_process_bytes: int) -> Report:
        """The report of `run` as it stands."""
        seen = snapshot(run)
        return Report(
            rows=rows,
            seconds=seen.seconds,
            peak_bytes=run.world.ledger.peak,
            peak_process_bytes=peak_process_bytes,
            spilled_bytes=self.spilled_bytes,
            bottleneck=self._bottleneck(run),
            operators=tuple(self._operator(run, index, stage) for index, stage in enumerate(seen.stages)),
            errors=tuple(self.texts),
            memory=memory,
            chain=self._chain(seen.seconds),
            history=self._history.samples,
        )

    def _gather(self, event: str, operator_id: str, sums: dict[str, int], **fields: Any) -> None:
        self._tell(self._gathering.add(self._now(), event, operator_id, sums, **fields))

    def _tell(self, told: list[Told]) -> None:
        for event, operator_id, fields in told:
            self._event(event, operator_id, **fields)

    def _now(self) -> float:
        assert self.run is not None
        return self.run.consumer.clock.now()

    def _operator(self, run: Run, index: int, stage: StageSnapshot) -> OperatorReport:
        return OperatorReport(
            id=stage.id,
            name=stage.name,
            rows_in=stage.rows_in,
            rows_out=stage.rows_out,
            bytes_in=stage.bytes_in,
            bytes_out=stage.bytes_out,
            busy_s=stage.busy_s,
            waiting_for_input_s=stage.waiting_for_input_s,
            waiting_for_room_s=stage.waiting_for_room_s,
            waiting_for_memory_s=stage.waiting_for_memory_s,
            waiting_for_outside_s=stage.waiting_for_outside_s,
            errors=self.failed_rows[stage.id],
            retries=self.retries[stage.id],
            kind=kind_of(run.plan, index),
            detail=stage.detail,
            inputs=stage.inputs,
            queue_peak_bytes=run.queues[index].peak_bytes,
            outside_s=tuple((str(what), seconds) for what, seconds in run.states[index].clock.outside.items()),
        )

    def _note_waiting(self, elapsed_s: float) -> None:
        """Charge the waiting since the last look to the roots of the waits now, and take a sample."""
        assert self.run is not None
        chains: dict[int, Chain] = {}
        for index, state in enumerate(self.run.states):
            if state.clock.ended is None and state.clock.state in (Waits.ROOM, Waits.INPUT, Waits.MEMORY):
                chains[index] = chain_from(self.run, index)
                if elapsed_s and state.clock.state != Waits.INPUT:
                    self._chains[index] = chains[index]
        of_consumer = chain_of_consumer(self.run)
        waits = [*chains.values(), *([] if of_consumer is None else [of_consumer])]
        self._causes.note(waits, elapsed_s)
        self._tell(self._summaries.look(self._now(), self.run, waits, elapsed_s, self._growth))
        self._sample(chains)

    def _sample(self, chains: dict[int, Chain]) -> None:
        assert self.run is not None
        growth = self._growth if self._peak_growth is None else self._peak_growth
        self._peak_growth = None
        self._history.add(look(self.run, chains, growth))

    def _bottleneck(self, run: Run) -> Bottleneck | None:
        found = self._causes.bottleneck()
        if found is None:
            return None
        operator, resource, share = found
        return Bottleneck(operator, resource, share, _relief(run, operator, resource))

    def _chain(self, seconds: float) -> WaitChain | None:
        found = self._causes.longest()
        if found is None:
            return None
        chain, stood_s = found
        return WaitChain(chain.ids, str(chain.reason), min(1.0, stood_s / seconds) if seconds else 1.0)

    def _turn(self, index: int, episode: Episode, turn: Turn | None) -> None:
        if turn is None:
            return
        assert self.run is not None
        chain = episode.cause or chain_from(self.run, index)
        state, queue = self.run.states[index], self.run.queues[index].statistics()
        own = chain.root == state.id and chain.reason is Resource.MEMORY  # else it waits for somebody
        reason = Resource.MEMORY if own else Resource.QUEUE_FULL
        reader = next((s.id for s in self.run.plan.stages if index in s.inputs), self.run.consumer.id)
        self._event(
            "backpressure.start" if turn is Turn.OPENED else "backpressure.stop",
            state.id,
            edge=f"{state.id} → {reader}",
            reason=str(reason),
            blocked_on=chain.ids[min(1, len(chain.ids) - 1)],
            root=chain.root,
            root_reason=str(chain.reason),
            chain=list(chain.ids),
            waited_ms=round(episode.waited_s * 1000),
            queue_bytes=queue.held_bytes,
            queue_batches=queue.held_batches,
        )

    def _event(self, event: str, operator_id: str, **fields: Any) -> None:
        assert self.run is not None
        name = next((state.name for state in self.run.states if state.id == operator_id), operator_id)
        ledger = self.run.world.ledger
        self.emit(
            event,
            {
                "run_id": self.run_id,
                "operator": name,
                "operator_id": operator_id,
                **fields,
                "ledger_used": ledger.used,
                "ledger_limit": ledger.limit,
            },
        )


def _relief(run: Run, operator_id: str, resource: Resource) -> str:
    """What would relieve the stage with this id, or the consumer."""
    if operator_id == CONSUMER:
        return remedy(OperatorKind.CONSUMER, resource)
    index = next(i for i, stage in enumerate(run.plan.stages) if stage.id == operator_id)
    function, counts = function_of(run.plan.stages[index].operator), run.plan.workers
    workers = 0 if function is None else counts.get(function, 0)
    worker_bytes = run.plan.allotment.base // sum(counts.values()) if workers else 0
    return remedy(kind_of(run.plan, index), resource, workers=workers, worker_bytes=worker_bytes)
