"""Owners of memory add up to what the ledger has given out, whatever is said."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from snapshots import engine, run, stage, worker

from brim.pipeline.dashboard.owners import Owners, owners
from brim.sizes import MIB

SIZES = st.integers(0, 200 * MIB)


def test_each_owner_has_its_part():
    runs = [replace(run(stage(queue_bytes=3 * MIB, queue_batches=1)), held_bytes=10 * MIB) for _ in range(2)]
    with_workers = engine(*runs, workers=(worker(),))
    assert owners(replace(with_workers, ledger_used=50 * MIB)) == Owners(30 * MIB, 14 * MIB, 6 * MIB)


def test_without_workers_what_no_run_holds_is_of_one_that_has_ended():
    assert owners(replace(engine(), ledger_used=5 * MIB)) == Owners(0, 5 * MIB, 0)


@given(used=SIZES, held=SIZES, queue=SIZES, workers=st.integers(0, 2))
def test_they_add_up(used, held, queue, workers):
    one = replace(run(stage(queue_bytes=queue)), held_bytes=held)
    seen = owners(replace(engine(one, workers=(worker(),) * workers), ledger_used=used))
    assert seen.workers + seen.operators + seen.queues == used
    assert min(seen.workers, seen.operators, seen.queues) >= 0
