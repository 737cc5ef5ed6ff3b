"""Random plans on disks that fail, cancelled, left early: their rows, or an error that says why, and nothing left."""

from __future__ import annotations

from collections import Counter

import pytest
from plans.__main__ import connect
from plans.faults import check_faults

CHUNKS, CHUNK = 4, 15


@pytest.mark.parametrize("first", range(0, CHUNKS * CHUNK, CHUNK))
def test_a_fault_costs_no_row_and_leaves_nothing(first):
    con, ends = connect(), Counter()
    for seed in range(first, first + CHUNK):
        ends.update(check_faults(seed, con))
    assert sum(count for end, count in ends.items() if "whole" not in end) > CHUNK


def test_a_flipped_bit_that_nobody_looks_for_is_noticed(monkeypatch):
    monkeypatch.setattr("brim.io.spill.spill_file.checksum", lambda _: 0)
    monkeypatch.setattr("brim.io.spill.block_stream.checksum", lambda _: 0)
    with pytest.raises(AssertionError):
        for seed in range(100):
            check_faults(seed, connect(), count=6)
