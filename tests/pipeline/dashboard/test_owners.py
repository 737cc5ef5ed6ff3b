"""Owners of memory add up to what the ledger has given out, whatever is said."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from snapshots import engine, run, stage

from brim.pipeline.dashboard.owners import Owners, owners
from brim.sizes import MIB

SIZES = st.integers(0, 200 * MIB)


def test_each_owner_has_its_part():
    runs = [replace(run(stage(queue_bytes=3 * MIB, queue_batches=1)), held_bytes=10 * MIB) for _ in range(2)]
    assert owners(replace(engine(*runs), ledger_used=50 * MIB)) == Owners(30 * MIB, 14 * MIB, 6 * MIB)


@given(used=SIZES, held=SIZES, queue=SIZES)
def test_they_add_up(used, held, queue):
    seen = owners(replace(engine(replace(run(stage(queue_bytes=queue)), held_bytes=held)), ledger_used=used))
    assert seen.workers + seen.operators + seen.queues == used
    assert min(seen.workers, seen.operators, seen.queues) >= 0
