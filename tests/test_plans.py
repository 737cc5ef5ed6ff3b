"""Random plans against DuckDB, at budgets that hold them and that do not; `make plans N=20000` runs more.

See `tests/plans/`.
"""

from __future__ import annotations

import pytest
from plans.__main__ import check_seeds, connect
from plans.trial import Tally, check_seed

from brim.operators.exchange.exchange import Exchange
from brim.operators.groups.group_batch import GroupBatch
from brim.operators.joins.matcher import Matcher

CHUNKS, CHUNK = 10, 25


@pytest.mark.parametrize("first", range(0, CHUNKS * CHUNK, CHUNK))
def test_plans_drawn_by_seed_make_the_rows_of_duckdb(first):
    tally = check_seeds(first, CHUNK)
    assert not tally.broken
    assert tally.plans == CHUNK


def _noticed(seeds=range(25)):
    """Whether one of these plans is wrong."""
    con = connect()
    return any(_is_wrong(seed, con) for seed in seeds)


def _is_wrong(seed, con):
    try:
        check_seed(seed, con, Tally())
    except AssertionError:
        return True
    return False


def test_a_block_that_is_lost_is_noticed(monkeypatch):
    contents = Exchange.contents

    async def forgetful(self, part):
        blocks, held = await contents(self, part)
        del blocks.blocks[1:2]
        return blocks, held

    monkeypatch.setattr(Exchange, "contents", forgetful)
    assert _noticed(range(60))


def test_rows_without_a_match_that_are_sent_for_every_batch_are_noticed(monkeypatch):
    monkeypatch.setattr(Matcher, "rest", lambda self, piece_bytes: iter(()))
    assert _noticed(range(60))


def test_states_that_are_not_put_together_are_noticed(monkeypatch):
    monkeypatch.setattr(GroupBatch, "merged", lambda self, batch: batch)
    assert _noticed()


def test_a_sort_that_is_not_stable_is_noticed(monkeypatch):
    from brim.operators import sort

    order = sort.sort_order

    def unstable(columns, descending, nulls_first):
        backwards = [column.take(list(range(len(column) - 1, -1, -1))) for column in columns]
        return len(columns[0]) - 1 - order(backwards, descending, nulls_first)

    monkeypatch.setattr(sort, "sort_order", unstable)
    assert _noticed(range(60))
