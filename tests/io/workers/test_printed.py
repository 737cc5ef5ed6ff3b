"""What workers print: told of now and then and at the end, little of it, and never waited for."""

import time

from hypothesis import given
from hypothesis import strategies as st
from kit import FakeStage, RealThreads
from udf_kit import arrays, ids, run

from brim.events import WorkerOutput
from brim.io.workers.printed import TAIL_BYTES, TELL_S, Printed


@given(st.lists(st.tuples(st.integers(0, 3 * TAIL_BYTES), st.integers(0, 8)), max_size=20))
def test_every_byte_is_told_of_or_counted_and_no_more_than_once_a_second(steps):
    printed, now, whole, told, last = Printed(), 0.0, 0, 0, float("-inf")
    for size, wait_s in steps:
        printed.add(b"x" * size)
        whole += size
        if (due := printed.due(now)) is not None:
            assert now >= last + TELL_S
            told, last = told + len(due[0]) + due[1], now
        assert (whole > told) == (0 < printed.wait_s(now) <= TELL_S)
        now += wait_s / 4
    rest = printed.rest() or ("", 0)
    assert told + len(rest[0]) + rest[1] == whole
    assert printed.rest() is None
    assert len(printed.tail) == min(whole, TAIL_BYTES)


def printed_by(function, rows=1):
    stage = FakeStage(threads=RealThreads())
    run(arrays(function, concurrency=1, batch_size=1), ids(0, rows), stage=stage, processes=1)
    return stage, [fact for fact in stage.facts if isinstance(fact, WorkerOutput)]


def test_what_is_printed_is_told_with_its_worker():
    def says(values):
        print("here")  # noqa: T201
        return values

    stage, (output,) = printed_by(says)
    assert output == WorkerOutput("says", stage.facts[0].pid, "here", 0)


def test_what_is_printed_within_a_second_waits_for_its_end():
    def says(values):
        print(f"row {values[0]}")  # noqa: T201
        time.sleep(0.3)
        return values

    started = time.monotonic()
    _, outputs = printed_by(says, rows=5)
    assert 1 <= len(outputs) <= 2 + time.monotonic() - started
    assert [f"row {n}" for n in range(5)] == "\n".join(output.text for output in outputs).splitlines()


def test_a_flood_is_swallowed_and_what_is_told_of_it_is_little():
    def floods(values):
        line = "x" * 999 + "\n"
        for _ in range(20_000):
            print(line, end="")  # noqa: T201
        print("the end")  # noqa: T201
        return values

    started = time.monotonic()
    _, outputs = printed_by(floods)
    assert len(outputs) <= 2 + time.monotonic() - started
    assert all(len(output.text) <= TAIL_BYTES for output in outputs)
    assert outputs[-1].text.endswith("the end")
    assert sum(output.dropped_bytes for output in outputs) > 19_900_000
