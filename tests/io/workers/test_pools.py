"""Real worker processes: results, copies, concurrency, errors, deaths, time limits, and nothing left behind."""

import itertools
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import anyio
import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from kit import FakeMemory, FakeStage, RealThreads, drive
from udf_kit import alone, arrays, batches, descriptors, ids, payloads_mapped, pools_for, rows, run

from brim.errors import PlanError, UdfContractError, UdfError, UdfTimeout, WorkerDied
from brim.events import WorkerRestarted, WorkerStarted
from brim.io.workers.pools import IDLE_S
from brim.io.workers.roster import SENT_AHEAD_BELOW_S
from brim.io.workers.template import Template

TEXT = pa.record_batch({"id": pa.array([n % 7 for n in range(1000)]), "text": pa.array(["x" * 1000] * 1000)})


def with_pools(main, stage=None, **limits):
    """Run `main(pools, stage)`; afterwards no process, descriptor or thread of ours may be left."""

    stage = stage or FakeStage(threads=RealThreads())

    async def around():
        async with pools_for(stage, **limits) as pools:
            return await main(pools, stage)

    before = descriptors()
    try:
        return alone(anyio.run, around)
    finally:
        assert psutil.Process().children(recursive=True) == []
        assert descriptors() <= before


class Tally:
    """What one worker process saw."""

    def __init__(self, start=0):
        self.calls = start

    def __call__(self, values):
        self.calls += 1
        time.sleep(0.003)  # long enough for a second worker to start
        return pa.array([os.getpid() * 1000 + self.calls] * len(values))


def test_two_workers_build_a_class_once_each_and_keep_order_and_it():
    async def main(pools, stage):
        operator = arrays(Tally, batch_size=1, concurrency=2, args=(100,))
        await pools.measure(operator.function)
        made = []
        for _ in range(2):
            out = (await drive(operator, [ids(0, 200)], stage=stage)).table()
            assert out["id"].to_pylist() == list(range(200))
            made += out["made"].to_pylist()
        return made, pools.facts

    made, facts = with_pools(main, processes=2)
    calls = {}
    for value in made:
        calls.setdefault(value // 1000, []).append(value % 1000)
    assert len(calls) == 2
    assert {fact.pid for fact in facts} == set(calls)
    for counted in calls.values():
        assert sorted(counted) == list(range(101, 101 + len(counted)))  # one instance, in one order, over both runs
    assert sum(fact.calls for fact in facts) == 400
    assert all(fact.base_bytes > 1e6 for fact in facts)


def test_workers_are_told_of_and_few_are_started_for_little():
    async def main(pools, stage):
        await drive(arrays(Tally), [ids(0, 3)], stage=stage)
        assert len(pools.facts) == 1
        return stage

    (started,) = with_pools(main, processes=2).facts
    assert isinstance(started, WorkerStarted)
    assert started.base_bytes > 0
    assert started.start_s > 0


@pytest.mark.skipif(not Template().forks, reason="nothing is forked here")
def test_what_workers_are_forked_from_is_measured_from_the_first_worker_on():
    """Else a first call would be allowed what the template holds, until it is found among the processes."""

    async def main(pools, stage):
        ready = []
        pools.on_ready = lambda pid, shared_bytes: ready.append((pid, shared_bytes))
        await drive(arrays(Tally), [ids(0, 3)], stage=stage)
        return ready, pools.template.process.pid, pools.facts

    ready, template, (worker,) = with_pools(main, processes=1)
    assert [pid for pid, _ in ready] == [template, worker.pid]
    assert ready[0][1] == 0 < ready[1][1]


def test_the_end_of_a_worker_is_told_while_it_serves():
    stage = FakeStage(threads=RealThreads())
    with pytest.raises(WorkerDied):
        run(arrays(lambda values: os._exit(4)), ids(0, 1), stage=stage, processes=1)
    ended = [fact for fact in stage.facts if isinstance(fact, WorkerRestarted)]
    assert [(fact.reason, fact.deaths) for fact in ended] == [("exit code 4", deaths) for deaths in (1, 2, 3)]
    assert {fact.pid for fact in ended} <= {fact.pid for fact in stage.facts if isinstance(fact, WorkerStarted)}


def test_concurrency_is_exact_in_processes():
    def span(value):
        start = time.monotonic_ns()
        time.sleep(SENT_AHEAD_BELOW_S)
        return start

    out = run(rows(span, concurrency=2), ids(0, 8), processes=4)
    starts = sorted(out.table()["made"].to_pylist())
    spans = [(start, start + int(SENT_AHEAD_BELOW_S * 1e9)) for start in starts]
    most = max(sum(a <= start < b for a, b in spans) for start in starts)
    assert most == 2


def test_workers_that_are_held_stand_still_and_finish_when_they_are_let_go(tmp_path):
    def waiting(values):
        (tmp_path / "begun").touch()
        while not (tmp_path / "go on").exists():
            time.sleep(0.001)
        return values

    async def until(true):
        with anyio.fail_after(10):
            while not true():
                await anyio.sleep(0.001)

    async def main(pools, stage):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(drive_into, made := [], stage)
            await until((tmp_path / "begun").exists)
            (fact,) = pools.facts
            with pools.held():
                (tmp_path / "go on").touch()
                await until(lambda: psutil.Process(fact.pid).status() == psutil.STATUS_STOPPED)
                assert made == []
        return made

    async def drive_into(made, stage):
        made.append((await drive(arrays(waiting), [ids(0, 3)], stage=stage)).table()["made"].to_pylist())

    assert with_pools(main) == [[0, 1, 2]]


def memory_seen(values):
    """Bytes Arrow has allocated in the worker while it holds its input, and whether that is mapped."""
    address = values.buffers()[2].address
    mapped = any(start <= address < stop for start, stop in payloads_mapped())
    return pa.array([pa.total_allocated_bytes() if mapped else 10**9] * len(values))


def test_a_batch_is_written_once_on_its_way_and_mapped_where_it_arrives():
    def wchar(process):
        return int(Path(f"/proc/{process}/io").read_text().split("wchar: ")[1].split()[0])

    from brim.operators.user_functions.map_arrays import MapArrays
    from brim.pipeline.udf import declare

    async def main(pools, stage):
        seen = declare(memory_seen, "array", return_type=pa.int64(), concurrency=1)
        back = declare(lambda texts: texts, "array", return_type=pa.string(), concurrency=1)
        schema = pa.schema([("made", pa.int64())])
        await pools.measure(seen)
        before = wchar("self")
        out = await drive(MapArrays(seen, ("text",), "made", schema), [TEXT] * 10, stage=stage)
        there = (wchar("self") - before) / (10 * TEXT["text"].nbytes)
        assert out.table()["made"][-1].as_py() < 1_100_000  # but for the few rows that are tried first, all are mapped
        await pools.measure(back)
        (pid,) = (pool.facts[0].pid for pool in pools.pools if pool.function is back)
        before = wchar(pid)
        schema = pa.schema([("made", pa.string())])
        out = await drive(MapArrays(back, ("text",), "made", schema), [TEXT] * 10, stage=stage)
        assert out.table()["made"].to_pylist() == ["x" * 1000] * 10_000
        return there, (wchar(pid) - before) / (10 * TEXT["text"].nbytes)

    there, back = with_pools(main, processes=1)
    assert there < 0.1  # copied into memory that both map, which is no writing
    assert 1.0 <= back < 1.1


def test_fifty_batches_leave_no_descriptor_on_either_side():
    async def main(pools, stage):
        from brim.operators.user_functions.map_arrays import MapArrays
        from brim.pipeline.udf import declare

        count = declare(
            lambda texts: pa.array([descriptors()] * len(texts)),
            "array",
            return_type=pa.int64(),
            concurrency=1,
        )
        operator = MapArrays(count, ("text",), "made", pa.schema([("made", pa.int64())]))
        await drive(operator, [TEXT], stage=stage)
        ours = descriptors()
        made = (await drive(operator, [TEXT] * 50, stage=stage)).table()["made"].to_pylist()
        assert descriptors() <= ours
        return made

    made = with_pools(main, processes=1)
    assert max(made) - min(made) <= 2  # a call that was sent ahead may have arrived already


def test_errors_and_broken_contracts_arrive_as_themselves():
    def raises(values):
        if values[0].as_py() == 0:
            raise LookupError("not \udc80 there")
        return values if values[0].as_py() == 1 else [1, 2]

    async def main(pools, stage):
        errors = []
        for start in (0, 2):
            with pytest.raises(BaseExceptionGroup) as info:
                await drive(arrays(raises), [ids(start, start + 1)], stage=stage)
            errors.append(info.value.exceptions[0])
        pids = {fact.pid for fact in pools.facts}
        return errors, pids

    (raised, broken), pids = with_pools(main, processes=1)
    assert type(raised) is UdfError
    assert raised.reason == "LookupError: not \\udc80 there"
    assert "in raises" in raised.traceback
    assert raised.rows == "row 0 of its input"
    assert type(broken) is UdfContractError
    assert "2 values for 1 rows" in broken.reason
    assert len(pids) == 1  # an error is no reason to end a worker


def test_rows_that_fail_in_a_worker_are_null_and_a_slow_row_is_interrupted():
    def picky(value):
        if value == 2:
            raise ValueError("two")
        if value == 4:
            time.sleep(60)
        return os.getpid()

    async def main(pools, stage):
        out = await drive(rows(picky, on_error="null", timeout_s=0.3, concurrency=1), [ids(0, 6)], stage=stage)
        return out.table()["made"].to_pylist(), [fact.pid for fact in pools.facts]

    made, (pid,) = with_pools(main, processes=1)
    assert made == [pid, pid, None, pid, None, pid]


def test_a_generator_in_a_worker_makes_a_piece_when_it_is_asked_for():
    def many(batch):
        for n in range(5):
            yield {"id": [n], "made": [time.monotonic_ns()]}

    class Slow:
        def __init__(self):
            self.got = []

        async def send(self, batch):
            await anyio.sleep(0.02)
            self.got.append((batch["id"][0].as_py(), batch["made"][0].as_py(), time.monotonic_ns()))

    async def main(pools, stage):
        from kit import Feed
        from udf_kit import SCHEMA

        out = Slow()
        await batches(many, SCHEMA, concurrency=2).run([Feed([ids(0, 1), ids(1, 2)])], out, stage)
        return out.got

    got = with_pools(main, processes=1)
    assert [n for n, _, _ in got] == [0, 1, 2, 3, 4] * 2
    for (_, _, taken), (number, made, _) in itertools.pairwise(got):
        assert number == 0 or made > taken


@pytest.mark.parametrize(
    ("ending", "exit_code"),
    [
        (lambda values: os._exit(7), 7),
        (lambda values: os.kill(os.getpid(), signal.SIGKILL), -9),
        (lambda values: __import__("ctypes").string_at(0), -11),
        (lambda values: sys.stdout.write("x" * 1_000_000 + "the last words") and os._exit(1), 1),
        (lambda values: os.closerange(3, 100), None),
    ],
    ids=["exit", "kill", "segfault", "flood", "close"],
)
def test_a_worker_that_ends_is_a_typed_error_with_what_it_printed(ending, exit_code):
    with pytest.raises(WorkerDied) as info:
        with_pools(lambda pools, stage: drive(arrays(ending), [ids(0, 3)], stage=stage), processes=1)
    assert info.value.rows == 1
    assert info.value.place == "row 0 of its input"
    if exit_code is not None:
        assert info.value.exit_code == exit_code
    if exit_code == 1:
        assert info.value.output.endswith("the last words")
    if exit_code == -11:
        assert "Fatal Python error" in info.value.output


def test_a_call_whose_worker_died_is_tried_again_in_another(tmp_path):
    def dies_once(values):
        if not (tmp_path / "died").exists():
            (tmp_path / "died").write_text("")
            os._exit(3)
        return values

    out = run(arrays(dies_once, retries=1, batch_size=2), ids(0, 6), processes=1)
    assert out.table()["made"].to_pylist() == list(range(6))


def test_a_call_that_hangs_is_ended_and_only_its_rows_are_lost():
    def hangs(values):
        if pc.any(pc.equal(values, 5)).as_py():
            __import__("ctypes").PyDLL(None).sleep(60)  # holds the GIL: no signal handler of Python's runs
        return values

    started = time.monotonic()
    with pytest.raises(UdfTimeout, match=r"took longer than 0\.2 s"):
        with_pools(lambda pools, stage: drive(arrays(hangs, timeout_s=0.2), [ids(5, 6)], stage=stage), processes=1)
    assert time.monotonic() - started < 10
    out = run(arrays(hangs, timeout_s=0.6, on_error="null"), ids(4, 6), processes=1)
    assert out.table()["made"].to_pylist() == [4, None]


class Broken:
    def __init__(self):
        raise RuntimeError("no model here")

    def __call__(self, values): ...


def test_a_class_that_cannot_be_built_is_the_users_error():
    with pytest.raises(UdfError, match="RuntimeError: no model here") as info:
        run(arrays(Broken), ids(0, 1), processes=1)
    assert "in __init__" in info.value.traceback
    with pytest.raises(UdfError, match="no model"):
        with_pools(lambda pools, stage: pools.measure(arrays(Broken).function), processes=1)


def test_a_function_that_cannot_be_sent_says_what_to_do():
    lock = __import__("threading").Lock()

    def locked(values):
        with lock:
            return values

    with pytest.raises(PlanError, match=r'locked cannot be sent.*backend="thread"'):
        run(arrays(locked), ids(0, 1), processes=1)


def test_output_never_blocks_a_worker_and_input_is_empty():
    def prints(values):
        for _ in range(2000):
            sys.stdout.write("x" * 500)
        sys.stderr.write("y" * 100_000)
        return pa.array([len(sys.stdin.read())] * len(values))

    out = run(arrays(prints), ids(0, 2), ids(2, 4), processes=1)
    assert out.table()["made"].to_pylist() == [0] * 4


def test_leaving_in_the_middle_of_a_call_ends_the_worker_with_the_pools():
    async def main(pools, stage):
        with anyio.move_on_after(1.0):
            await drive(arrays(lambda values: time.sleep(60)), [ids(0, 2)], stage=stage)
        assert len(pools.facts) == 1
        return time.monotonic()

    left = with_pools(main, processes=1)
    assert time.monotonic() - left < 5


def test_cancelled_anywhere_a_run_leaves_nothing_and_its_workers_serve_the_next():
    def echo(texts):
        time.sleep(0.002)
        return texts

    async def main(pools, stage):
        from brim.operators.user_functions.map_arrays import MapArrays
        from brim.pipeline.udf import declare

        function = declare(echo, "array", return_type=pa.string(), batch_size=500)
        operator = MapArrays(function, ("text",), "made", pa.schema([("made", pa.string())]))
        await drive(operator, [TEXT] * 20, stage=stage)
        before, pids = descriptors(), {fact.pid for fact in pools.facts}
        for step in range(40):
            with anyio.move_on_after(step / 1000):
                await drive(operator, [TEXT] * 20, stage=stage)
            stage.memory = FakeMemory()  # a stage that ends gives its loans back
        out = await drive(operator, [TEXT] * 20, stage=stage)
        assert out.table()["made"].to_pylist() == TEXT["text"].to_pylist() * 20
        del out
        assert descriptors() <= before
        assert {fact.pid for fact in pools.facts} == pids

    with_pools(main, processes=2)


def test_measuring_a_function_that_has_workers_ends_none_of_them():
    """A service may declare the same function anew for each request."""

    async def main(pools, stage):
        function = arrays(Tally, args=(100,)).function
        pool = await pools._pool(function, 2)
        for _ in range(2):
            pool.lives.start()
        await pool.lives.ready()
        assert await pools.measure(function) > 0
        assert (pool.size, len(pool.workers)) == (2, 2)
        assert not any(worker.end_reason for worker in pool.workers)

    with_pools(main, processes=2)


def test_pools_closed_before_a_worker_begins_leave_no_process():
    async def main(pools, stage):
        pool = await pools._pool(arrays(Tally).function, 2, ())
        pool.lives.start()

    with_pools(main, processes=1)


def test_idle_workers_beyond_the_number_are_ended():
    async def main(pools, stage):
        for n in range(3):
            await drive(arrays(lambda values, n=n: pc.add(values, n)), [ids(0, 1)], stage=stage)
        with anyio.fail_after(5):
            while len(psutil.Process().children()) > 1:
                await anyio.sleep(0.02)
        return len(pools.pools)

    assert with_pools(main, processes=1) == 1


class SlowToBuild:
    """As a model that takes a while to load."""

    def __init__(self):
        time.sleep(1.0)

    def __call__(self, values):
        return values


def test_a_worker_that_is_being_measured_is_not_ended_with_those_that_are_too_many():
    async def main(pools, stage):
        async def measure():
            await pools.measure(arrays(SlowToBuild).function)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(measure)
            while not pools.pools:
                await anyio.sleep(0.005)
            await drive(arrays(lambda values: values), [ids(0, 1)], stage=stage)  # used later
            (measured,) = [pool for pool in pools.pools if pool.measured]
            assert not any(worker.end_reason for worker in measured.workers)
        return measured in pools.pools

    assert with_pools(main, processes=1), "or nobody ever ends its worker"


def test_workers_are_seen_as_they_stand():
    async def main(pools, stage):
        await drive(arrays(lambda values: values), [ids(0, 1), ids(1, 2)], stage=stage)
        return pools.stats

    (worker,) = with_pools(main, processes=1)
    assert (worker.function, worker.state, worker.calls) == ("<lambda>", "idle", 2)
    assert worker.peak_bytes >= worker.held_bytes > worker.base_bytes > 0


@dataclass
class QuickClock:
    """A minute passes in a moment."""

    time: float = 0.0

    def now(self):
        return self.time

    async def sleep(self, seconds):
        await anyio.sleep(seconds / 1000)
        self.time += seconds


def test_workers_that_nobody_uses_are_ended_after_a_while():
    async def main(pools, stage):
        await drive(arrays(lambda values: values), [ids(0, 1)], stage=stage)
        (pool,), used_at = pools.pools, stage.clock.now()
        with anyio.fail_after(5):
            while len(psutil.Process().children(recursive=True)) > 1:  # the template stays
                await anyio.sleep(0.005)
        return pools.pools, pool.workers, stage.clock.now() - used_at

    left, workers, seconds = with_pools(main, FakeStage(threads=RealThreads(), clock=QuickClock()), processes=1)
    assert (left, workers) == ([], [])
    assert seconds >= IDLE_S


def test_functions_run_on_another_event_loop_too():
    uvloop = pytest.importorskip("uvloop")

    async def main():
        stage = FakeStage(threads=RealThreads())
        async with pools_for(stage, processes=1):
            return await drive(arrays(lambda values: values), [TEXT.select(["id"])], stage=stage)

    with uvloop.Loop() if hasattr(uvloop.Loop, "__enter__") else __import__("contextlib").nullcontext():
        out = anyio.run(main, backend_options={"loop_factory": uvloop.new_event_loop})
    assert out.table().num_rows == 1000
