"""The judge: every row has a result or a reason, whatever calls come to; what raises and what is tried again."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit import FakeStage
from virtual_loop import run_virtual

from brim.errors import UdfContractError, UdfError, UdfMemoryExceeded, UdfTimeout, WorkerDied
from brim.events import BatchResized, Retried
from brim.operators.inflation import Inflation
from brim.operators.user_functions.failed_rows import failed_rows
from brim.operators.user_functions.judge import Judge
from brim.operators.user_functions.piece import Piece
from brim.operators.user_functions.row_results import result_batch
from brim.operators.user_functions.user_function import UserFunction
from brim.operators.work_estimate import FixedAndRatio

INT = pa.int64()
KINDS = ("raises", "breaks", "times out", "kills", "starves")


def error_of(how, rows):
    match how:
        case "raises":
            return UdfError("f", "ValueError: no", traceback="the trace")
        case "breaks":
            return UdfContractError("f", "returned nothing")
        case "times out":
            return UdfTimeout("f", "took longer than 1 s")
        case "kills":
            return WorkerDied("f", -11, rows, "it printed this")
        case _:
            return UdfMemoryExceeded("f", "no room", peak_bytes=77)


@dataclass
class Calls:
    """A function that adds one: `bad` says how a call with such a row ends, `healed` after how many calls of it no more.

    A row function says of each row how it failed, where that does not end the call.
    """

    bad: dict[int, str] = field(default_factory=dict)
    healed: dict[int, int] = field(default_factory=dict)
    kind: str = "array"
    final: bool = False
    work_bytes: int | None = None
    made: list[tuple[list[int], bool]] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)

    window = 1

    def call(self, batch, work_bytes=0, *, alone=False):
        rows = batch.column(0).to_pylist()
        self.made.append((rows, alone))
        how = {row: self.bad[row] for row in rows if row in self.bad and self.healed.get(row) != 0}
        for row in how:
            self.healed[row] = self.healed.get(row, 0) - 1
        return OneCall(self, batch, how)


@dataclass
class OneCall:
    calls: Calls
    batch: pa.RecordBatch
    how: dict[int, str]
    asked: int = 0

    async def next_piece(self):
        self.asked += 1
        if self.asked == 2:
            return None
        each = self.calls.kind == "row"
        for how in self.how.values():
            if not each or how in ("kills", "starves"):
                error = error_of(how, self.batch.num_rows)
                if self.calls.final:
                    name, value = ("deaths", 60) if isinstance(error, WorkerDied) else ("final", True)
                    setattr(error, name, value)
                raise error
        rows = self.batch.column(0).to_pylist()
        values = pc.add(self.batch.column(0), 1)
        failed = [place for place, row in enumerate(rows) if row in self.how][::-1]  # rows fail in any order
        column = pa.array([None if place in failed else value.as_py() for place, value in enumerate(values)], INT)
        errors = ["UdfTimeout: late" if self.how[rows[place]] == "times out" else "ValueError: no" for place in failed]
        made = result_batch(column) if self.calls.kind != "batch" else self.batch
        piece = Piece(made, failed_rows(failed, errors, ["the trace"] * len(failed)), self.calls.work_bytes)
        self.calls.pieces.append(piece)
        return piece


def judge_of(calls, **options):
    stage = FakeStage()
    typed = {} if calls.kind == "batch" else {"return_type": INT}
    function = UserFunction(name="f", function=abs, kind=calls.kind, **typed, **options)
    return Judge.of(function, calls, stage, Inflation(1 << 20, 1 << 20, FixedAndRatio()))


def batch_of(start, stop):
    return pa.record_batch({"0": pa.array(range(start, stop), INT)})


def column(calls, rows, **options):
    """What comes out for `rows` rows, from row 100 of the stage's input on."""
    judge = judge_of(calls, **options)
    return run_virtual(lambda: judge.column(batch_of(0, rows), 100, 8.0)), judge


BAD = st.integers(1, 60).flatmap(
    lambda n: st.tuples(st.just(n), st.dictionaries(st.integers(0, n - 1), st.sampled_from(KINDS)))
)


@settings(deadline=None)
@given(BAD, st.sampled_from(["array", "row"]), st.sampled_from(["null", "drop"]), st.integers(0, 2))
def test_every_row_has_its_result_or_its_reason(case, kind, on_error, retries):
    rows, bad = case
    piece, _ = column(Calls(dict(bad), kind=kind), rows, on_error=on_error, retries=retries)
    assert piece.batch["result"].to_pylist() == [None if row in bad else row + 1 for row in range(rows)]
    failed = [] if piece.failed is None else piece.failed.to_pylist()
    assert sorted(each["row"] for each in failed) == sorted(bad)
    if kind == "array":
        texts = {
            "raises": ("ValueError: no", "the trace", None),
            "breaks": ("UdfContractError: returned nothing", "", None),
            "times out": ("UdfTimeout: took longer than 1 s", "", None),
            "kills": ("WorkerDied: SIGSEGV", "it printed this", "SIGSEGV"),
            "starves": ("UdfMemoryExceeded: no room", "", None),
        }
        assert [(each["error"], each["traceback"], each["signal"]) for each in failed] == [
            texts[bad[row]] for row in sorted(bad)
        ]


@settings(deadline=None)
@given(BAD, st.sampled_from(["array", "row"]))
def test_where_no_row_may_fail_the_run_ends_with_the_place_of_one_that_did(case, kind):
    rows, bad = case
    calls = Calls(dict(bad), kind=kind)
    if not bad:
        assert column(calls, rows)[0].failed is None
        return
    with pytest.raises((UdfError, WorkerDied)) as info:
        column(calls, rows)
    error = info.value
    place = error.place if isinstance(error, WorkerDied) else error.rows
    if isinstance(error, WorkerDied | UdfMemoryExceeded) or kind == "row":
        assert place in {f"row {100 + row} of its input" for row in bad}, "it is looked for, whatever on_error says"
    elif len(calls.made[-1][0]) > 1:
        first, last = calls.made[-1][0][0], calls.made[-1][0][-1]
        assert place == f"rows {100 + first} to {100 + last} of its input"
    if isinstance(error, UdfMemoryExceeded):
        assert error.peak_bytes == 77


@pytest.mark.parametrize("how", KINDS)
def test_what_may_pass_is_tried_again_and_what_is_a_mistake_is_not(how):
    calls = Calls({0: how}, {0: 2})
    if how == "breaks":
        with pytest.raises(UdfContractError):
            column(calls, 1, retries=2)
        assert len(calls.made) == 1
        return
    piece, judge = column(calls, 1, retries=2)
    assert piece.batch["result"].to_pylist() == [1]
    assert len(calls.made) == 3
    assert [fact.attempt for fact in judge.stage.facts if isinstance(fact, Retried)] == [1, 2]


def test_only_the_rows_that_failed_are_tried_again():
    calls = Calls({2: "raises", 5: "raises"}, {2: 1, 5: 2}, kind="row")
    piece, _ = column(calls, 8, retries=3)
    assert piece.batch["result"].to_pylist() == list(range(1, 9))
    assert piece.failed is None
    assert [sorted(rows) for rows, _ in calls.made] == [list(range(8)), [2, 5], [5]]


def test_rows_that_still_fail_after_all_tries_keep_their_places():
    calls = Calls({2: "raises", 5: "times out"}, {2: 1}, kind="row")
    piece, _ = column(calls, 8, retries=2, on_error="null")
    assert piece.failed.to_pylist() == [
        {"row": 5, "error": "UdfTimeout: late", "traceback": "the trace", "signal": None}
    ]
    assert len(calls.made) == 3


@pytest.mark.parametrize(("how", "kind"), [("raises", UdfError), ("times out", UdfTimeout)])
def test_the_error_of_a_row_is_what_it_was(how, kind):
    with pytest.raises(UdfError, match="row 1,003 of its input") as info:
        run_virtual(lambda: judge_of(Calls({3: how}, kind="row")).column(batch_of(0, 6), 1_000))
    assert type(info.value) is kind
    assert info.value.traceback == "the trace"
    assert info.value.reason == ("late" if kind is UdfTimeout else "ValueError: no")


def test_the_first_of_the_rows_that_failed_is_named():
    with pytest.raises(UdfError, match="row 103 of its input"):
        column(Calls({3: "raises", 5: "times out"}, kind="row"), 8)


def test_a_call_that_raises_ends_a_run_that_allows_no_failure_at_once():
    calls = Calls({3: "raises"})
    with pytest.raises(UdfError, match="rows 100 to 107 of its input"):
        column(calls, 8)
    assert len(calls.made) == 1, "it is not looked for"


def test_what_a_call_of_all_rows_makes_is_handed_on_without_a_copy():
    calls = Calls()
    piece, _ = column(calls, 8)
    assert piece is calls.pieces[0]


def test_parts_that_only_narrow_the_search_are_not_tried_again():
    calls = Calls({5: "raises"})
    column(calls, 8, on_error="null", retries=3)
    counted = {len(rows): sum(len(other) == len(rows) for other, _ in calls.made) for rows, _ in calls.made}
    assert counted == {8: 4, 4: 2, 2: 2, 1: 5}, "the whole and the row four times each"


@pytest.mark.parametrize(("how", "on_error"), [("raises", "null"), ("kills", "null"), ("kills", "raise")])
def test_what_is_final_is_looked_into_no_further(how, on_error):
    calls = Calls({5: how}, final=True)
    with pytest.raises((UdfError, WorkerDied)):
        column(calls, 8, on_error=on_error, retries=3)
    assert len(calls.made) == 1


def test_a_call_that_starves_is_halved_and_the_last_row_goes_alone_and_the_next_calls_are_smaller():
    calls = Calls({2: "starves"})
    piece, judge = column(calls, 4, on_error="null")
    assert piece.batch["result"].to_pylist() == [1, 2, None, 4]
    assert calls.made == [
        ([0, 1, 2, 3], False), ([0, 1], False), ([2, 3], False), ([2], False), ([2], True), ([3], False)
    ]  # fmt: skip
    assert judge.inflation.share == 1 / 2**4
    assert not any(isinstance(fact, BatchResized) for fact in judge.stage.facts), "before a cut is known"


def test_what_calls_take_is_learned_for_what_they_read():
    _, judge = column(Calls(work_bytes=4_000), 10)
    assert judge.inflation.work_bytes(80) == 4_000
    assert judge.inflation.work_bytes(160) == 8_000


@settings(deadline=None)
@given(BAD, st.sampled_from([None, "kills", "starves"]))
def test_batches_are_made_of_all_rows_but_those_that_fail_and_a_call_that_failed_before_counts(case, before):
    rows, bad = case
    judge = judge_of(calls := Calls(dict(bad), kind="batch"), on_error="drop")
    failure = None if before is None else error_of(before, rows)
    made, failed = run_virtual(lambda: judge.batches(batch_of(0, rows), 100, failure))
    assert [row for batch in made for row in batch["0"].to_pylist()] == [row for row in range(rows) if row not in bad]
    assert sorted(bad) == ([] if failed is None else failed["row"].to_pylist())
    if before == "starves" and rows > 1:
        assert len(calls.made[0][0]) < rows, "it is not called as a whole again"


@pytest.mark.parametrize("how", ["raises", "kills", "starves"])
def test_a_call_that_is_made_once_names_its_rows_where_it_fails(how):
    judge = judge_of(calls := Calls({1: how}, work_bytes=500, kind="batch"))

    async def main():
        good, bad = calls.call(batch_of(0, 1)), calls.call(batch_of(0, 3))
        piece = await judge.next_piece(good, 100, 1, 8.0)
        assert await judge.next_piece(good, 100, 1, 8.0) is None
        with pytest.raises((UdfError, WorkerDied)) as info:
            await judge.next_piece(bad, 100, 3, 8.0)
        return piece.batch, info.value

    batch, error = run_virtual(main)
    assert batch.num_rows == 1
    assert judge.inflation.work_bytes(8) == 500
    assert "rows 100 to 102 of its input" in str(error)


@pytest.mark.parametrize(("kind", "seconds"), [("row", 2.0), ("array", 0.2)])
def test_the_rate_counts_rows_of_a_row_function_and_calls_of_others(kind, seconds):
    async def main():
        judge = judge_of(Calls(kind=kind), rate_limit=10.0)
        began = judge.stage.clock.now()
        for _ in range(3):
            await judge.column(batch_of(0, 10), 0)
        return judge.stage.clock.now() - began, judge.stage.waits

    took, waits = run_virtual(main)
    assert took == pytest.approx(seconds), "the third begins once those before it have had their time"
    assert waits == ["rate_limit"] * 3, "it is seen to wait"
