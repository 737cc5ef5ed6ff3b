"""A history stays short however long the run is, and what it keeps is true: totals exact, no peak lost."""

from __future__ import annotations

import dataclasses
import json
import sys
from itertools import accumulate
from random import Random

import pytest
import simulation as sim
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_loop import run_virtual

import brim
from brim import col
from brim.pipeline.history import MOST, TIMES, History, Sample, merged
from brim.pipeline.observer import Observer

MEMORY = ("floors", "ahead", "work", "state", "oversize")


DRAWN = given(
    seed=st.integers(0, 1 << 32), stages=st.integers(1, 3), count=st.integers(1, 250), half=st.integers(1, 20)
)
UNTIMED = settings(deadline=None)


def looks(seed, stages, count):
    """Samples of one run: counts and seconds grow, the rest is anything."""
    random = Random(seed)
    seconds = list(accumulate(random.uniform(0.001, 0.2) for _ in range(count)))
    rows = [list(accumulate(random.randrange(9) for _ in range(count))) for _ in range(stages)]
    return [
        Sample(
            seconds=seconds[i],
            growth=random.choice([None, random.randrange(1 << 30)]),
            limit=1 << 31,
            **{name: random.randrange(1 << 20) for name in MEMORY},
            rows=tuple(totals[i] for totals in rows),
            queue_bytes=tuple(random.randrange(1 << 20) for _ in range(stages)),
            queue_batches=tuple(random.randrange(5) for _ in range(stages)),
            times=((seconds[i], 0.0, 0.0, 0.0, 0.0),) * stages,
            doing=("busy",) * stages,
            root=(None,) * stages,
        )
        for i in range(count)
    ]


def recorded(samples, most):
    history = History(most)
    for sample in samples:
        history.add(sample)
    return history.samples


@UNTIMED
@DRAWN
def test_there_are_never_too_many_and_never_too_few(seed, stages, count, half):
    samples, most = looks(seed, stages, count), 2 * half
    kept = recorded(samples, most)
    assert len(kept) <= most
    assert len(kept) >= min(len(samples), most // 2)


@UNTIMED
@DRAWN
def test_totals_are_those_of_the_moment_and_no_peak_is_lost(seed, stages, count, half):
    samples, most = looks(seed, stages, count), 2 * half
    kept = recorded(samples, most)
    at = {sample.seconds: sample for sample in samples}
    assert kept[-1].seconds == samples[-1].seconds
    assert [sample.seconds for sample in kept] == sorted({sample.seconds for sample in kept})
    for sample in kept:
        assert (sample.rows, sample.times) == (at[sample.seconds].rows, at[sample.seconds].times)
    assert max(sample.used for sample in kept) == max(sample.used for sample in samples)
    for place in range(len(samples[0].rows)):
        assert max(sample.queue_bytes[place] for sample in kept) == max(s.queue_bytes[place] for s in samples)
    assert max((s.growth for s in kept if s.growth is not None), default=None) == max(
        (s.growth for s in samples if s.growth is not None), default=None
    )


@UNTIMED
@DRAWN
def test_each_sample_is_all_looks_since_the_one_before(seed, stages, count, half):
    samples, most = looks(seed, stages, count), 2 * half
    kept, rest = recorded(samples, most), list(samples)
    sizes = set()
    for sample in kept:
        taken = [rest.pop(0)]
        while taken[-1].seconds < sample.seconds:
            taken.append(rest.pop(0))
        whole = taken[0]
        for look in taken[1:]:
            whole = merged(whole, look)
        assert whole == sample
        sizes.add(len(taken))
    assert len(sizes) <= 2  # all alike but for the last, which may be shorter
    assert not rest


def _weight(value):
    """Bytes of a value and all in it, each object once."""
    parts = value if isinstance(value, tuple) else ()
    return sys.getsizeof(value) + sum(map(_weight, parts))


def test_a_sample_of_ten_stages_weighs_a_few_kib():
    stages = 10
    sample = Sample(
        1e5 + 0.1, 1 << 40, 1 << 41, 1 << 40, 1 << 40, 1 << 40, 1 << 40, 1 << 40,
        tuple(range(10**12, 10**12 + stages)), tuple(range(10**9, 10**9 + stages)), tuple(range(300, 300 + stages)),
        tuple(tuple(float(i * 5 + k) for k in range(5)) for i in range(stages)), ("busy",) * stages, ("x-1",) * stages,
    )  # fmt: skip
    fields = [getattr(sample, field.name) for field in dataclasses.fields(sample)]
    assert _weight(tuple(fields)) < 6_000
    assert MOST * _weight(tuple(fields)) < 1.5 * (1 << 20)


def _history(tree, **options):
    observer = Observer("run-1", lambda event, fields: None)

    async def main():
        outcome = await sim.simulate(tree, observer=observer, on_run=observer.begin, **options)
        observer.end(outcome.error)
        return outcome

    outcome = run_virtual(main)
    return observer.report(outcome.run, len(outcome.values), 1 << 20, 0)


def test_the_history_of_a_run_says_who_waited_for_whom_and_ends_where_the_report_does():
    tree = sim.sequence([sim.Source((30,) * 60), sim.kernel(sim.Hold), sim.Slowly(1, 0.2), sim.kernel(sim.Hold)])
    report = _history(tree, pool=4_000)
    last = report.history[-1]
    assert last.seconds == pytest.approx(report.seconds, abs=1e-4)
    assert last.rows == tuple(operator.rows_out for operator in report.operators)
    for operator, times in zip(report.operators, last.times, strict=True):
        spent = dict(zip(TIMES, times, strict=True))
        assert spent["outside"] == pytest.approx(operator.waiting_for_outside_s, abs=1e-3)
        assert spent["room"] == pytest.approx(operator.waiting_for_room_s, abs=1e-3)
    middle = report.history[len(report.history) // 2]
    assert middle.doing == ("room", "room", "connections", "input")
    assert middle.root == ("Slowly-2", "Slowly-2", None, "Slowly-2")
    assert sum(middle.queue_batches) > 2
    assert middle.ahead > 0
    assert last.doing == ("ended",) * 4


def test_a_long_run_has_a_history_as_short_as_any():
    report = _history(sim.sequence([sim.Source((30,) * 400, 0.2), sim.kernel(sim.Hold)]), pool=4_000)
    assert report.seconds > 79
    assert MOST // 2 <= len(report.history) <= MOST


def test_growth_is_the_most_since_the_last_sample_and_then_what_it_is():
    observer = Observer("run-1", lambda event, fields: None)
    run = sim.make_run(sim.sequence([sim.Source(())]), 0, 0, observer=observer)

    async def main():
        run.consumer.clock.start()
        observer.begin(run)
        observer.tick(1.0)
        for growth, peak in ((5, 9), (4, 7)):
            observer.note_growth(growth, peak)
        observer.tick(2.0)
        observer.tick(3.0)
        run.consumer.clock.stop()

    run_virtual(main)
    assert [sample.growth for sample in observer.report(run, 0, 0, 0).history] == [None, 9, 4]


def test_a_real_run_has_one_that_json_takes(tmp_path):
    report = brim.range(300_000).filter(col("id") % 3 == 0).write_parquet(tmp_path / "o").run_blocking(memory="64MiB")
    again = json.loads(json.dumps(report.to_dict()))["history"]
    assert again
    assert set(again[0]) == {field.name for field in dataclasses.fields(Sample)}
    assert again[-1]["rows"] == [operator.rows_out for operator in report.operators]
    assert all(0 < sample["floors"] <= sample["limit"] for sample in again)
