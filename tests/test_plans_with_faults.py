"""Random plans on disks that fail, cancelled, left early: their rows, or an error that says why, and nothing left."""

from __future__ import annotations

from collections import Counter

import pytest
from plans import faults
from plans.__main__ import connect
from plans.faults import check_faults

from brim.io.spill import spill_file
from brim.io.spill.block_stream import Pieces

CHUNKS, CHUNK = 4, 15


@pytest.mark.parametrize("first", range(0, CHUNKS * CHUNK, CHUNK))
def test_a_fault_costs_no_row_and_leaves_nothing(first):
    con, ends = connect(), Counter()
    for seed in range(first, first + CHUNK):
        ends.update(check_faults(seed, con))
    assert sum(count for end, count in ends.items() if "whole" not in end) > CHUNK


def test_a_flipped_bit_that_nobody_looks_for_is_noticed(monkeypatch):
    checksum = spill_file.checksum
    monkeypatch.setattr(Pieces, "checksum", lambda _: 0)
    monkeypatch.setattr(spill_file, "checksum", lambda block: 0 * checksum(block))
    monkeypatch.setattr(faults, "FAULTS", ("flipped bit",))
    con = connect()
    with pytest.raises(AssertionError):
        for seed in range(60):
            check_faults(seed, con, count=5)
