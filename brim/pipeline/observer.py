"""Observer: turns what operators tell and queues measure into events, counts and the report of one run."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from brim.errors import Stalled
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
from brim.pipeline.chain import Chain, chain_from
from brim.pipeline.episodes import Episode, Turn
from brim.pipeline.gathering import Gathering, Told
from brim.pipeline.nodes import Write
from brim.pipeline.report import Bottleneck, OperatorReport, Report
from brim.pipeline.run import Run
from brim.pipeline.snapshot import StageSnapshot, snapshot

ERROR_TEXTS = 20

Emit = Callable[[str, dict[str, Any]], None]


@dataclass(eq=False, slots=True)
class Observer:
    """Watches one run. `emit(event, fields)` is told of every event; `run` is set before the first tick."""

    run_id: str
    emit: Emit
    run: Run | None = None
    retries: Counter[str] = field(default_factory=Counter)
    failed_rows: Counter[str] = field(default_factory=Counter)
    texts: dict[str, None] = field(default_factory=dict)
    spilled_bytes: int = 0
    _gathering: Gathering = field(default_factory=Gathering)
    _episodes: dict[int, Episode] = field(default_factory=dict)
    _chains: dict[int, Chain] = field(default_factory=dict)
    _blocked: dict[int, float] = field(default_factory=dict)
    _caused: defaultdict[tuple[str, Resource], float] = field(default_factory=lambda: defaultdict(float))
    _last_tick: float | None = None

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
        for index, state in enumerate(self.run.states):
            if state.clock.started is None:
                continue
            seconds = state.clock.read()
            blocked = seconds[Waits.ROOM] + seconds[Waits.MEMORY]
            since = blocked - self._blocked.get(index, 0.0)
            self._blocked[index] = blocked
            if last is None or now <= last:
                continue
            self._note_cause(index, now - last)
            episode = self._episodes.setdefault(index, Episode())
            if state.clock.ended is not None:
                self._turn(index, episode, episode.close())
            else:
                self._turn(index, episode, episode.look(now, since, now - last))

    def begin(self, run: Run) -> None:
        """Watch `run` from now on."""
        self.run = run
        self._event("run.start", "", stages=[state.id for state in run.states], memory=run.plan.allotment.given)

    def end(self, error: BaseException | None) -> None:
        """The run has ended: close the episodes that are still open."""
        assert self.run is not None
        for index, episode in self._episodes.items():
            self._turn(index, episode, episode.close())
        self._tell(self._gathering.rest(self._now()))
        if isinstance(error, Stalled):
            self._event("stall", "", picture=error.picture)
        outcome = "ok" if error is None else type(error).__name__
        last = snapshot(self.run).stages[-1]
        rows = last.rows_in if isinstance(self.run.plan.planned, Write) else last.rows_out
        self._event("run.stop", "", outcome=outcome, rows=rows)

    def report(self, run: Run, rows: int, memory: int, peak_process_bytes: int) -> Report:
        """The report of `run` as it stands."""
        seen = snapshot(run)
        return Report(
            rows=rows,
            seconds=seen.seconds,
            peak_bytes=run.world.ledger.peak,
            peak_process_bytes=peak_process_bytes,
            spilled_bytes=self.spilled_bytes,
            bottleneck=self._bottleneck(),
            operators=tuple(self._operator(stage) for stage in seen.stages),
            errors=tuple(self.texts),
            memory=memory,
        )

    def _gather(self, event: str, operator_id: str, sums: dict[str, int], **fields: Any) -> None:
        self._tell(self._gathering.add(self._now(), event, operator_id, sums, **fields))

    def _tell(self, told: list[Told]) -> None:
        for event, operator_id, fields in told:
            self._event(event, operator_id, **fields)

    def _now(self) -> float:
        assert self.run is not None
        return self.run.consumer.clock.now()

    def _operator(self, stage: StageSnapshot) -> OperatorReport:
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
        )

    def _note_cause(self, index: int, elapsed_s: float) -> None:
        """Charge a stage's waiting since the last look to the root of its wait now."""
        assert self.run is not None
        clock = self.run.states[index].clock
        if clock.ended is None and clock.state in (Waits.ROOM, Waits.INPUT, Waits.MEMORY):
            chain = chain_from(self.run, index)
            self._caused[chain.root, chain.reason] += elapsed_s
            if clock.state in (Waits.ROOM, Waits.MEMORY):
                self._chains[index] = chain

    def _bottleneck(self) -> Bottleneck | None:
        total = sum(self._caused.values())
        if not total:
            return None
        (operator, resource), seconds = max(self._caused.items(), key=lambda item: item[1])
        return Bottleneck(operator, resource, seconds / total)

    def _turn(self, index: int, episode: Episode, turn: Turn | None) -> None:
        if turn is None:
            return
        assert self.run is not None
        chain = self._chains.get(index) or chain_from(self.run, index)  # at a stop, of the last wait seen
        state, queue = self.run.states[index], self.run.queues[index].statistics()
        reason = Resource.MEMORY if state.clock.state == Waits.MEMORY else Resource.QUEUE_FULL
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
