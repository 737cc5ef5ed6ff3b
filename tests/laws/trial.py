"""Trial: run a case on virtual time, and judge what came of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any

import anyio
import numpy as np
import pyarrow as pa
from kit import LoopClock
from virtual_loop import Hang, run_virtual

from brim.arrow_pool import arrow_pool
from brim.errors import RowTooLarge, SpillDiskFull, StageFailed, Stalled
from brim.pipeline.allot import floors_of
from brim.pipeline.ledger import Kind
from brim.pipeline.observer import Observer
from brim.pipeline.oversize import Oversize
from brim.pipeline.plan import Allotment, Plan, Stage
from brim.pipeline.run import Run
from brim.pipeline.world import World

from .draw import UNIT, Case, Tree
from .outside import Disk, Stores, Threads, Workers
from .streams import Stream, joined, read, stream
from .watched import Watched

MOST_UNIT = 16 * UNIT
MOST_PASSES = 400_000
ROUNDING = 4 << 10  # buffers are rounded up to 64 bytes


def stages_of(tree: Tree, schema: pa.Schema) -> tuple[Stage, ...]:
    made: list[Stage] = []

    def lower(tree: Tree) -> int:
        inputs = tuple(lower(part) for part in tree.below)
        made.append(Stage(f"{tree.name}-{len(made)}", tree.name, "", tree.operator, inputs, schema, ()))
        return len(made) - 1

    lower(tree)
    return tuple(made)


def least(operators: list[Any]) -> int:
    """The smallest ledger that a plan of `operators` is given: its floors are half of it."""
    return 2 * floors_of(operators, UNIT)


def share(operators: list[Any], ledger: int) -> Allotment:
    """As `allot` divides a ledger, in units a few times smaller."""
    unit = next(u for u in range(MOST_UNIT, 0, -UNIT // 2) if floors_of(operators, u) <= ledger // 2)
    floors, oversize = floors_of(operators, unit), ledger // 4
    return Allotment(ledger, 0, 0, floors, oversize, ledger - floors - oversize, unit, unit // 2, ())


@dataclass
class Outcome:
    """What a run came to."""

    taken: list[tuple[Stream, bytes]] = field(default_factory=list)
    error: BaseException | None = None
    cancelled: bool = False
    passes: int = 0
    unaccounted: int = 0
    before: int = 0
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    run: Run | None = None
    ledger: Watched | None = None
    stores: Stores | None = None
    workers: Workers | None = None
    failed_rows: Counter[str] = field(default_factory=Counter)

    def trace(self) -> tuple[Any, ...]:
        """What has to be the same whenever the case is run."""
        kinds = Counter(event for event, _ in self.events)
        rows = [len(rows) for rows, _ in self.taken]
        return rows, repr(self.error), self.passes, self.ledger.peak, self.ledger.changes, sorted(kinds.items())


def run_case(case: Case, *, factor: float | None = None) -> Outcome:
    """Run `case`, the ledger checked at every change and at every pass of the loop; check that nothing is left."""
    outcome = Outcome()
    scope = None
    squeezes = list(case.squeezes)

    def on_step(number: int) -> None:
        outcome.passes = number
        if number > MOST_PASSES:
            raise Hang(f"{number} passes:\n{outcome.run.picture() if outcome.run else ''}")
        if outcome.run is None:
            return
        if squeezes and squeezes[0].at <= number:
            _squeeze(outcome, squeezes.pop(0))
        check_counts(outcome.run)
        outcome.unaccounted = max(outcome.unaccounted, arrow_bytes() - outcome.before - outcome.ledger.used)
        if number == case.cancel_at and scope is not None:
            scope.cancel()

    async def main() -> None:
        nonlocal scope
        with anyio.CancelScope() as scope:
            await _execute(case, outcome, case.factor if factor is None else factor)
        outcome.cancelled = scope.cancelled_caught

    run_virtual(main, on_step)
    return outcome


def _squeeze(outcome: Outcome, squeeze: Any) -> None:
    """Leave a share of the pool, as the truth does that finds the process larger than the ledger knows."""
    pool = outcome.run.plan.allotment.pool
    outcome.ledger.adjust(cut=int(pool * (1 - squeeze.share)), ahead_paused=squeeze.paused)


async def _execute(case: Case, outcome: Outcome, factor: float) -> None:
    stages = stages_of(case.tree, case.columns.schema)
    operators = [stage.operator for stage in stages]
    shares = share(operators, int(least(operators) * factor))
    random, outcome.before = Random(case.seed), arrow_bytes()
    ledger = outcome.ledger = Watched(shares.given, shares.oversize)
    assert ledger.reserve(shares.floors)
    threads, disk = Threads(case.threads, random, case.delays), Disk(case.full_at)
    stores = outcome.stores = Stores(case.objects, random, case.delays)
    workers = outcome.workers = Workers(case.workers, random, case.delays, Random(f"fate {case.seed}"))
    world = World(ledger, Oversize(ledger, threads, disk), threads, LoopClock(), random, stores, workers, disk)
    observer = Observer("run", lambda event, fields: outcome.events.append((event, fields)))
    run = outcome.run = Run(Plan(None, None, stages, shares), world, observer.fact, observer.tick)
    observer.begin(run)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_consume, case, run, outcome)
            try:
                await run.execute()
            except StageFailed as failed:
                outcome.error = outcome.error or failed
    finally:
        run.output.close_reader()
        observer.end(outcome.error)
        outcome.failed_rows = observer.failed_rows
        check_clean(run)


async def _consume(case: Case, run: Run, outcome: Outcome) -> None:
    """Read to the end; a disk may be full when the consumer makes room for a batch of its own."""
    try:
        await _read(case, run, outcome)
    except SpillDiskFull as full:
        outcome.error = full
    run.output.close_reader()


async def _read(case: Case, run: Run, outcome: Outcome) -> None:
    pauses = case.consumer_pauses
    async for batch in run.output:
        outcome.taken.append(read(batch, case.columns))
        del batch  # or it would lie beside the next
        if len(outcome.taken) == case.leave_after:
            break
        if pause := pauses[len(outcome.taken) % len(pauses)]:
            with run.consumer.clock.waiting("outside"):
                await anyio.sleep(pause)


def arrow_bytes() -> int:
    """What Arrow has allocated and not freed."""
    return pa.default_memory_pool().bytes_allocated() + arrow_pool().bytes_allocated()


def check_counts(run: Run) -> None:
    """What the ledger has lent covers what is seen on loan; queues hold a head, and what is behind it on loan."""
    ledger = run.world.ledger
    ahead = sum(entry.lent for queue in run.queues for entry in queue._entries)
    work = 0
    for memory in run._memories:
        for loan in memory._loans:
            if hasattr(loan, "pool"):
                ahead += loan.pool
            else:
                work += loan.size
    assert ahead <= ledger.lent(Kind.AHEAD), "a loan that the ledger does not know"
    assert work <= ledger.lent(Kind.WORK) + ledger.lent(Kind.SPARE), "a work loan that the ledger does not know"


def check_clean(run: Run) -> None:
    """Nothing is lent, nobody waits in the ledger, nothing rests in a queue, in a hand or on disk."""
    ledger = run.world.ledger
    assert {kind: ledger.lent(kind) for kind in Kind} == dict.fromkeys(Kind, 0)
    assert {kind: ledger.waiting(kind) for kind in Kind} == dict.fromkeys(Kind, 0)
    assert ledger.floors == run.plan.allotment.floors
    assert [queue.statistics().held_batches for queue in run.queues] == [0] * len(run.queues)
    assert run.world.oversize.at_rest == []
    assert all(state.oversize == 0 and state.in_hand is None for state in [*run.states, run.consumer])
    assert all(file.closed for file in run.world.spill.files), "a spilled batch is left"
    assert run.world.stores.open_now == 0, "a connection is left"
    assert all(memory._window_used == 0 and not memory._loans for memory in run._memories)


# judging


def judge(case: Case) -> Outcome:
    """Run `case` and check every law of one run; raises `AssertionError`, or what the run raised against the law."""
    outcome = run_case(case)
    check_end(case, outcome)
    check_dead(case, outcome)
    check_bytes(outcome)
    check_times(outcome)
    check_episodes(outcome)
    return outcome


def check_end(case: Case, outcome: Outcome) -> None:
    """The rows as without bounds; or an error that was due, with its cause; never `Stalled`."""
    error = outcome.error
    cause = error.__cause__ if isinstance(error, StageFailed) else error
    assert not isinstance(cause, Stalled)
    if error is not None:
        assert isinstance(cause, (*case.errors, RowTooLarge)), f"{error!r} from {cause!r}"
        if isinstance(cause, RowTooLarge):
            assert may_be_too_large(case, outcome), f"{cause}"
    whole = error is None and not outcome.cancelled and case.leave_after is None
    assert not (whole and case.fails), "it should have failed"
    made = joined([stream(0, []), *(rows for rows, _ in outcome.taken)])
    check_rows(case, made, b"".join(data for _, data in outcome.taken), whole=whole)


def may_be_too_large(case: Case, outcome: Outcome) -> bool:
    """Whether a row of the case is heavy enough to be refused: it is not when four of it fit into the reserve."""
    heaviest = max(part.heaviest for part in case.tree.parts()) + 2 * case.columns.row_bytes
    return 4 * heaviest > outcome.run.plan.allotment.oversize


def check_bytes(outcome: Outcome) -> None:
    """At no pass did Arrow hold more than floors and loans, also where stages are left in the middle by an early end.

    Where a run fails or is cancelled, the tracebacks of its stages hold the batch that each was about to send, until
    they are collected; such runs are not judged by this.
    """
    if outcome.error is None and not outcome.cancelled:
        assert outcome.unaccounted <= ROUNDING, f"{outcome.unaccounted:,} bytes unaccounted for"


def check_rows(case: Case, made: Stream, data: bytes, *, whole: bool) -> None:
    wanted = case.tree.rows
    if case.tree.ordered:
        wanted = wanted if whole else wanted[: len(made)]
        same = [np.array_equal(getattr(made, name), getattr(wanted, name)) for name in ("x", "fat")]
        same += [not case.columns.twin or np.array_equal(made.y, wanted.y)]
        assert all(same), f"{made.x.tolist()[:50]} instead of {wanted.x.tolist()[:50]} ({same})"
    else:
        found = Counter(zip(made.x.tolist(), made.fat.tolist(), strict=True))
        expected = Counter(zip(wanted.x.tolist(), wanted.fat.tolist(), strict=True))
        assert found == expected if whole else found <= expected
    assert data == made.payload(), "bytes of a row are wrong"


REASONS = {
    "is_deadly": ("WorkerDied: SIGKILL", "SIGKILL"),
    "is_starving": ("UdfMemoryExceeded: drawn to starve", None),
    "is_bad": ("a bad row", None),
}


def check_dead(case: Case, outcome: Outcome) -> None:
    """Rows without a result are kept with why, in order, each once; all of them where everything was read."""
    whole = outcome.error is None and not outcome.cancelled and case.leave_after is None
    for part, id_, all_read in functions_of(case.tree):
        behaviour, rows = part.operator.function.args[0], part.below[0].rows.x
        dead, kept = rows[behaviour.is_lost(rows)].tolist(), part.operator.dead_letters.rows
        if whole and all_read:
            assert sorted(x for x, *_ in kept) == sorted(dead), f"{id_}: {kept[:50]} instead of {dead[:50]}"
        if part.below[0].ordered:
            assert [x for x, *_ in kept] == dead[: len(kept)], f"{id_}: {kept[:50]} instead of {dead[:50]}"
        assert not (kept and part.operator.function.on_error == "raise")
        assert outcome.failed_rows[id_] >= len(kept)
        assert outcome.failed_rows[id_] == len(kept) or not whole
        for x, error, signal in kept:
            due = [reason for law, reason in REASONS.items() if getattr(behaviour, law)(x)]
            assert (error, signal) in due, f"{id_}: row {x}: {error}, {signal}"


def functions_of(tree: Tree) -> list[tuple[Tree, str, bool]]:
    """The user functions, the ids of their stages, and whether whoever reads them reads to the end."""
    found: list[tuple[Tree, str, bool]] = []
    number = 0

    def visit(tree: Tree, all_read: bool) -> None:
        nonlocal number
        for below in tree.below:
            visit(below, all_read and tree.name != "limit")
        if tree.name.endswith("function"):
            found.append((tree, f"{tree.name}-{number}", all_read))
        number += 1

    visit(tree, all_read=True)
    return found


def check_times(outcome: Outcome) -> None:
    """The times of every stage add up to its wall time."""
    for state in [*outcome.run.states, outcome.run.consumer]:
        clock = state.clock
        if clock.started is not None:
            assert clock.ended is not None, state.id
            wall = clock.ended - clock.started
            assert abs(sum(clock.seconds.values()) - wall) <= 1e-6 * max(1.0, wall), (state.id, clock.seconds, wall)
            assert not any(clock._waits.values()), f"{state.id} waits for ever"


def check_episodes(outcome: Outcome) -> None:
    """Every episode of backpressure that is opened is closed, once."""
    open_now: Counter[str] = Counter()
    for event, fields in outcome.events:
        if event in ("backpressure.start", "backpressure.stop"):
            open_now[fields["operator_id"]] += 1 if event.endswith("start") else -1
            assert open_now[fields["operator_id"]] in (0, 1)
            assert fields["blocked_on"] in {state.id for state in [*outcome.run.states, outcome.run.consumer]}
    assert not +open_now


def check_repeated(case: Case, first: Outcome) -> None:
    """The same seed makes the same run, step for step, until anyio cancels tasks, which it does in no order."""
    if first.error is None and not first.cancelled:
        assert run_case(case).trace() == first.trace()


def check_monotone(case: Case, first: Outcome) -> None:
    """What runs with a memory runs with more: only an error that memory has no part in may come."""
    if _is_too_large(first.error):
        return
    for more in (1.1, 1.7, 6.0):
        outcome = run_case(case, factor=case.factor * more)
        check_end(case, outcome)
        assert not _is_too_large(outcome.error), f"at {case.factor * more} times the least: {outcome.error}"


def _is_too_large(error: BaseException | None) -> bool:
    return error is not None and isinstance(error.__cause__, RowTooLarge)
