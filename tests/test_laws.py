"""The laws of every run, over fifteen hundred trees; `make laws TREES=200000` runs more. See `tests/laws/`."""

from __future__ import annotations

from collections import Counter

import pytest
from laws.__main__ import Tally, check_seed, check_seeds
from laws.draw import draw
from laws.trial import check_episodes, check_times, judge, run_case

from brim.operators.user_functions.blame import Blame
from brim.operators.user_functions.failed_rows import failed_rows
from brim.pipeline.byte_queue import ByteQueue
from brim.pipeline.ledger import Kind, Ledger
from brim.pipeline.stage_memory import StageMemory

CHUNKS, CHUNK = 6, 250
ONCE_BROKEN = {
    540: "a pool cut below what was lent ahead left a stage waiting to compute for ever",
    4301: "batches larger than a floor lay behind the head of a queue with a loan for their excess only",
    55194: "waiting to try a call again was taken for a stall",
    501100: "a batch written to disk stayed in the frames of the stage that waited for room behind it",
    51927: "a batch of another stage that was being written was counted in what a row needs",
    1075: "writing down the batch of a stage that had ended was taken for a stall",
}
ONCE_BROKEN_MORTAL = {
    4139: "a stage waited for the reserve that it had been lent for a batch that was still read from disk",
}


@pytest.mark.parametrize("first", range(0, CHUNKS * CHUNK, CHUNK))
def test_the_laws_hold_of_trees_drawn_by_seed(first):
    tally = check_seeds(first, CHUNK)
    assert not tally.broken
    assert tally.trees == CHUNK


@pytest.mark.parametrize("seed", ONCE_BROKEN)
def test_a_tree_that_broke_a_law_once_keeps_it(seed):
    check_seed(seed, Tally(), mortal=False)


@pytest.mark.parametrize("seed", ONCE_BROKEN_MORTAL)
def test_a_tree_whose_workers_die_that_broke_a_law_once_keeps_it(seed):
    check_seed(seed, Tally())


def test_what_is_drawn_is_not_tame():
    """Of a thousand cases many inflate, many hold rows larger than a batch, and every kind of fault is there."""
    cases = [draw(seed) for seed in range(1_000)]
    names = Counter(part.name for case in cases for part in case.tree.parts())
    assert min(names[name] for name in ("inflate", "rude", "explode", "download", "items", "table", "window")) > 40
    assert min(names[f"{kind} function"] for kind in ("array", "row", "batch")) > 40
    assert sum(case.tree.rows.bytes > 1 << 20 for case in cases) > 40
    functions = [part.operator.function for case in cases for part in case.tree.parts() if "function" in part.name]
    for on_error in ("raise", "null", "drop"):
        calls = [function.args[0] for function in functions if function.on_error == on_error]
        for name in ("deadly_rows", "starving_rows", "hungry_rows", "most_rows", "chance", "work_bytes"):
            assert sum(bool(getattr(behaviour, name)) for behaviour in calls) > 15, (on_error, name)
    heavy = [max(part.heaviest for part in case.tree.parts()) > 32 << 10 for case in cases]
    assert sum(heavy) > 150
    assert sum(bool(case.squeezes) for case in cases) > 150
    assert sum(case.full_at is not None for case in cases) > 20
    assert Counter(case.factor for case in cases)[1.0] > 200


# A law that cannot be broken says nothing: each of these is a fault of the library that the laws have to notice.


def _noticed(seeds=range(60)):
    """Whether one of these trees breaks a law."""
    return any(_breaks_a_law(seed) for seed in seeds)


def _breaks_a_law(seed):
    try:
        outcome = judge(draw(seed))
        check_times(outcome)
        check_episodes(outcome)
    except (AssertionError, ExceptionGroup, KeyError):
        return True
    return False


def test_a_ledger_that_lends_what_it_has_not_is_noticed(monkeypatch):
    monkeypatch.setattr(Ledger, "_room", lambda self, kind: self.limit)
    assert _noticed()


def test_a_queue_that_forgets_to_repay_is_noticed(monkeypatch):
    def forgetful(self):
        entry = self._entries.popleft()
        if self._entries:
            self._entries[0].lent = 0
        self._room.set()
        return entry

    monkeypatch.setattr(ByteQueue, "_take", forgetful)
    assert _noticed()


def test_a_stage_that_keeps_its_loans_is_noticed(monkeypatch):
    monkeypatch.setattr(StageMemory, "close", lambda self: None)
    monkeypatch.setattr(StageMemory, "take_back", lambda self, loan: None)
    assert _noticed()


def test_a_batch_that_is_lost_or_comes_twice_is_noticed(monkeypatch):
    append = ByteQueue._append

    def twice(self, entry):
        append(self, entry)
        if self._batches == 3 and entry.lent == 0 and self._entries[0] is not entry:
            self._entries.append(entry)

    monkeypatch.setattr(ByteQueue, "_append", twice)
    assert _noticed()


def test_a_row_that_is_blamed_for_the_death_of_another_is_noticed(monkeypatch):
    monkeypatch.setattr("brim.operators.user_functions.blame.DEATHS_ALONE", 2)
    assert _noticed(range(200))


@pytest.mark.parametrize("times", [0, 2])
def test_a_dead_row_that_is_kept_twice_or_not_at_all_is_noticed(monkeypatch, times):
    def told(rows, *texts):
        return failed_rows(rows * times, *(list(text) * times for text in texts))

    monkeypatch.setattr("brim.operators.user_functions.judge.failed_rows", told)
    assert _noticed(range(100))


def test_a_row_that_wants_memory_and_is_not_called_alone_is_noticed(monkeypatch):
    monkeypatch.setattr(Blame, "starving", property(lambda self: False))
    assert _noticed(range(200))


def test_calls_of_parts_that_are_lost_or_made_twice_are_noticed(monkeypatch):
    halve = Blame._halve

    def forgetful(self, first=None):
        halved = halve(self, first)
        if halved and len(self._parts) > 3:
            self._parts.pop(0)
        return halved

    monkeypatch.setattr(Blame, "_halve", forgetful)
    assert _noticed(range(200))


def test_a_run_is_the_same_whenever_its_seed_is_run():
    case = draw(11)
    assert run_case(case).trace() == run_case(case).trace()
    assert run_case(case).trace() != run_case(draw(12)).trace()
    assert run_case(case).ledger.lent(Kind.AHEAD) == 0
