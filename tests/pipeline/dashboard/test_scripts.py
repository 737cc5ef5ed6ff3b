# ruff: noqa: RUF001 - the signs are those that the page shows
"""The page's scripts where they only compute, in node: numbers, rates, words, the layout of a plan, the plot."""

from __future__ import annotations

import json
import random
import shutil
import subprocess

import pytest

from brim.pipeline.dashboard.app import STATIC

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="no node here")

MIB = 2**20
LEAST = 130  # narrower boxes say nothing: there the picture is scrolled


@pytest.fixture(scope="module")
def evaluate(tmp_path_factory):
    """Values of expressions over one of the page's scripts, called `it`; `given` is what they are about."""
    folder = tmp_path_factory.mktemp("scripts")
    shutil.copytree(STATIC, folder, dirs_exist_ok=True)
    (folder / "package.json").write_text('{"type": "module"}')

    def of(script, *expressions, given=None):
        values = ", ".join(expressions)
        code = f'import * as it from "./{script}"; const given = {json.dumps(given)}; console.log(JSON.stringify([{values}]));'
        done = subprocess.run(
            [NODE, "--input-type=module", "-e", code], check=False, cwd=folder, capture_output=True, text=True
        )
        assert not done.returncode, done.stderr
        return json.loads(done.stdout)

    return of


def test_numbers_are_written_for_people(evaluate):
    assert evaluate("format.js", "it.bytes(0)", "it.bytes(1536)", "it.bytes(-3 * 2**20)", "it.bytes(200 * 2**30)") == [
        "0 B", "1.5 KiB", "−3.0 MiB", "200 GiB",
    ]  # fmt: skip
    assert evaluate("format.js", "it.count(0)", "it.count(7.26)", "it.count(12345.4)", "it.count(20e6)", "it.short(345678)") == [
        "0", "7.3", "12,345", "20.0 M", "346 k",
    ]  # fmt: skip
    assert evaluate("format.js", "it.duration(0.42)", "it.duration(59)", "it.duration(75)", "it.duration(4000)") == [
        "0.4 s", "59 s", "1 min 15 s", "1 h 06 min",
    ]  # fmt: skip
    assert evaluate("format.js", "it.ago(1)", "it.ago(5)", "it.ago(90)", "it.percent(1.2)", "it.percent(0 / 0)", 'it.runName("run-7f3-12")') == [
        "now", "5 s ago", "1 min 30 s ago", "100%", "0%", "run 12",
    ]  # fmt: skip


def _stage(name="scan-1", rows=0, inputs=(), times=(0, 0, 0, 0, 0), **fields):
    names = ("busy_s", "waiting_for_outside_s", "waiting_for_memory_s", "waiting_for_room_s", "waiting_for_input_s")
    given = {
        "id": name, "name": name, "detail": "", "state": "busy", "resource": None, "writes": False, "rows_expected": None,
        "rows_in": rows, "rows_out": rows, "bytes_in": 0, "bytes_out": 8 * rows, "inputs": list(inputs),
        "queue_batches": 0, "queue_bytes": 0,
    }  # fmt: skip
    return given | dict(zip(names, times, strict=True)) | fields


def _run(*stages, seconds=1.0):
    return {"id": "run-1", "seconds": seconds, "stages": list(stages)}


def test_rates_are_of_the_last_seconds(evaluate):
    past = [_run(_stage(rows=100 * second, times=(second, 0, 0, 0, 0)), seconds=second) for second in range(1, 10)]
    past[-1]["stages"][0] |= {"rows_out": 1200, "busy_s": 8.5, "waiting_for_room_s": 0.5}
    kept, (pace,) = evaluate(
        "rates.js", "given.reduce(it.remember, [])", "it.paces(given.reduce(it.remember, []))", given=past
    )
    assert [run["seconds"] for run in kept] == [6, 7, 8, 9]
    assert pace["rows"] == 200
    assert pace["shares"] == [pytest.approx(2.5 / 3), 0, 0, pytest.approx(0.5 / 3), 0]


def test_a_run_with_one_look_has_no_rate_and_breaks_nothing(evaluate):
    (paces,) = evaluate("rates.js", "it.paces(it.remember([], given))", given=_run(_stage(rows=5)))
    assert paces == [{"rows": 0, "bytes": 0, "shares": [0] * 5, "outside": None}]


def test_progress_is_that_of_the_larger_branch_of_a_join(evaluate):
    """The build side of a join is done long before the run is."""
    stages = [
        _stage("big-1", rows=10, rows_expected=1000),
        _stage("small-2", rows=50, rows_expected=50),
        _stage("join-3", inputs=(0, 1)),
    ]
    (found,) = evaluate("rates.js", "it.progress(given, it.paces([given]))", given=_run(*stages))
    assert (found["done"], found["expected"]) == (10, 1000)


def test_what_has_ended_well_is_done(evaluate):
    """The last look was before the end."""
    far = {"done": 97, "expected": 100, "rate": 5}
    ended, stopped, going = evaluate(
        "runs.js",
        *(f"it.counted(it.reached(given, {outcome}), {outcome})" for outcome in ('"ok"', '"stopped"', "null")),
        given=far,
    )
    assert (ended, stopped, going) == ("100 of 100 rows", "97 of 100 rows", "97 of 100 rows, 5/s, about 0.6 s left")


def test_one_is_not_many(evaluate):
    started, ended = (
        {"event": "run.start", "stages": ["scan-1"], "memory": 64 * MIB},
        {"event": "run.stop", "outcome": "ok", "rows": 2},
    )
    assert evaluate("words.js", "given.map(it.sentence)", given=[started, ended]) == [
        ["1 stage within 64.0 MiB", "ok, 2 rows"]
    ]


@pytest.mark.parametrize("sent", [10, 1001])
def test_progress_is_unknown_where_a_branch_of_a_join_is(evaluate, sent):
    """Nobody knows how many rows come, or more have come than was said."""
    stages = [
        _stage("big-1", rows=sent, rows_expected=1000 if sent > 1000 else None),
        _stage("small-2", rows=50, rows_expected=50),
        _stage("join-3", rows=7, inputs=(0, 1)),
    ]
    (found,) = evaluate("rates.js", "it.progress(given, it.paces([given]))", given=_run(*stages))
    assert (found["done"], found["expected"]) == (7, None)


def test_a_sink_counts_what_it_has_taken(evaluate):
    stages = [_stage("scan-1", rows=10), _stage("write-2", rows=1, rows_in=9, writes=True, inputs=(0,))]
    found, rows = evaluate(
        "rates.js", "it.progress(given, it.paces([given]))", "it.rows(given.stages[1])", given=_run(*stages)
    )
    assert (found["done"], found["expected"], rows) == (9, None, 9)


@pytest.mark.parametrize(
    ("stage", "shares", "outside", "words"),
    [
        (_stage(), [0.9, 0.1, 0, 0, 0], None, "busy 90%"),
        (_stage(state="ended"), [0.9, 0.1, 0, 0, 0], None, "done"),
        (_stage(), [0.1, 0.9, 0, 0, 0], "network", "network 90%"),
        (_stage(), [0.1, 0.9, 0, 0, 0], "something-new", "something-new 90%"),
        (_stage(), [0, 0, 0, 1, 0], None, "waits for room"),
        (_stage(state="memory"), [0] * 5, None, "waits for memory"),
    ],
)
def test_what_a_stage_does_in_words(evaluate, stage, shares, outside, words):
    assert evaluate("words.js", "it.doing(...given)", given=[stage, shares, outside]) == [words]


def test_a_queue_is_full_when_its_writer_waits_for_room(evaluate):
    given = [_stage(state="room", queue_batches=3), _stage(queue_batches=1), _stage(), _stage()]
    said = evaluate(
        "words.js",
        *(f"it.queueState(given[{i}], {moved})" for i, moved in enumerate(["true", "true", "true", "false"])),
        given=given,
    )
    assert said == ["full", "filling", "flowing", "idle"]


def test_every_event_of_the_reference_has_a_sentence_or_its_fields(evaluate):
    events = [
        {"event": "run.stop", "outcome": "ok", "rows": 5},
        {"event": "spill.write", "bytes": 3 * MIB, "count": 2},
        {"event": "something.new", "at": 1, "number": 2, "run_id": "r", "colour": "red", "chain": ["a", "b"]},
        {"event": "run.stop", "outcome": "StageFailed", "rows": 5},
    ]
    assert evaluate("words.js", "given.map(it.sentence)", "given.map(it.weight)", "given.map(e => it.kind(e.event))", given=events) == [
        ["ok, 5 rows", "2 × 3.0 MiB written", "colour=red  chain=a → b", "StageFailed, 5 rows"],
        ["", "", "", "bad"],
        ["runs", "spill", "something", "runs"],
    ]  # fmt: skip


def test_events_are_filtered_by_kind_and_by_text(evaluate):
    events = [
        {"event": name, "number": i, "operator_id": "Sort-1", "run_id": "r", "bytes": 1}
        for i, name in enumerate(["run.start", "spill.write", "spill.read"])
    ]
    of = lambda hidden, text: f"it.wanted(given, new Set({hidden}), '{text}').map(e => e.number)"  # noqa: E731
    assert evaluate("events.js", of([], ""), of(["runs"], ""), of([], "WRITTEN"), of([], "sort-1"), given=events) == [
        [2, 1, 0], [2, 1], [1], [2, 1, 0],
    ]  # fmt: skip


def _tree(chance, size):
    """A plan of `size` stages: each reads one or two that nobody reads yet, or is a source; the last reads the rest."""
    stages, open_ends = [], []
    for place in range(size):
        take = min(len(open_ends), chance.choice([0, 1, 1, 1, 2])) if place < size - 1 else len(open_ends)
        inputs = [open_ends.pop() for _ in range(take)][::-1]
        stages.append({"id": str(place), "inputs": inputs})
        open_ends.append(place)
    return [*stages, {"id": "consumer", "inputs": [size - 1], "end": True}] if chance.random() < 0.5 else stages


def _in_order(stages):
    """As the planner has them: what a stage reads comes right before it, branch by branch."""
    order = []

    def visit(place):
        for branch in stages[place]["inputs"]:
            visit(branch)
        order.append(place)

    visit(len(stages) - 1)
    return [stages[place] | {"inputs": [order.index(branch) for branch in stages[place]["inputs"]]} for place in order]


def _overlap(a, b):
    return (
        a["x"] < b["x"] + b["width"]
        and b["x"] < a["x"] + a["width"]
        and a["y"] < b["y"] + b["height"]
        and b["y"] < a["y"] + a["height"]
    )


def test_boxes_never_overlap_and_stay_within_the_width(evaluate):
    chance = random.Random(11)
    given = [
        [_in_order(_tree(chance, chance.randint(1, 14))), chance.choice([280, 366, 700, 1000, 1360, 2400])]
        for _ in range(300)
    ]
    (plans,) = evaluate("layout.js", "given.map(([stages, width]) => it.layout(stages, width))", given=given)
    assert {plan["turned"] for plan in plans} == {True, False}
    for (stages, width), plan in zip(given, plans, strict=True):
        boxes = plan["boxes"]
        assert len(boxes) == len(stages)
        assert not any(_overlap(a, b) for i, a in enumerate(boxes) for b in boxes[:i]), stages
        assert max(box["x"] + box["width"] for box in boxes) <= width + 0.01 or boxes[0]["width"] == LEAST
        assert max(box["y"] + box["height"] for box in boxes) <= plan["height"] + 0.01
        assert len(plan["pipes"]) == len(stages) - 1


def test_data_flows_to_the_right_or_down(evaluate):
    stages = _in_order([{"inputs": []}, {"inputs": [0]}, {"inputs": []}, {"inputs": [1, 2]}])
    wide, tall = evaluate("layout.js", "it.layout(given, 1200)", "it.layout(given, 360)", given=stages)
    assert (wide["turned"], tall["turned"]) == (False, True)
    for pipe in wide["pipes"]:
        assert wide["boxes"][pipe["from"]]["x"] < wide["boxes"][pipe["to"]]["x"]
    for pipe in tall["pipes"]:
        assert tall["boxes"][pipe["from"]]["y"] < tall["boxes"][pipe["to"]]["y"]


def test_a_queue_is_drawn_as_full_as_it_is(evaluate):
    assert evaluate("graph.js", "it.fill(0, 0, 100)", "it.fill(1, 1, 100)", "it.fill(50, 3, 100)", "it.fill(900, 3, 100)", "it.fill(5, 1, 0)") == [
        0, 0.08, 0.5, 1, 1,
    ]  # fmt: skip


def test_the_plot_stays_in_its_picture(evaluate):
    chance = random.Random(5)
    points = [[1000 + i, *(chance.randint(-5, 90) * MIB for _ in range(4))] for i in range(400)]
    (shape,) = evaluate("plot.js", "it.shape(given, 64 * 2**20, 600, 240)", given=points)
    assert len(shape["layers"]) == 4
    for path in [*shape["layers"], shape["growth"]]:
        assert "NaN" not in path
        pairs = [pair.split() for pair in path.strip("MZ").replace("M", "L").split("L") if pair]
        assert all(0 <= float(x) <= 600 and 0 <= float(y) <= 240 for x, y in pairs)
    assert 0 < shape["budget"] < 240
    assert [tick["text"] for tick in shape["ticks"]] == ["0", "16 MiB", "32 MiB", "48 MiB", "64 MiB"]
    assert shape["times"][0]["text"] == "−5 min 00 s"


def test_one_point_is_a_plot_too(evaluate):
    (shape,) = evaluate("plot.js", "it.shape([[1000, 0, 0, 0, 0]], 0, 300, 200)")
    assert "NaN" not in json.dumps(shape)


def test_owners_have_their_largest_parts(evaluate):
    stages = [_stage(f"s-{i}", queue_bytes=i * MIB, queue_batches=1) for i in range(8)]
    moment = {
        "memory": 100 * MIB, "growth": 90 * MIB, "ledger_used": 60 * MIB, "ledger_limit": 70 * MIB,
        "owners": {"workers": 10 * MIB, "operators": 22 * MIB, "queues": 28 * MIB},
        "workers": [{"function": "f", "held_bytes": MIB}, {"function": "f", "held_bytes": MIB}],
        "runs": [_run(*stages) | {"held_bytes": 50 * MIB}],
    }  # fmt: skip
    (owners,) = evaluate("panels.js", "it.ownersOf(given)", given=moment)
    sizes = {owner["kind"]: owner["size"] // MIB for owner in owners}
    assert sizes == {"workers": 10, "operators": 22, "queues": 28, "beyond": 30, "free": 10}
    assert [part["name"] for part in owners[2]["parts"]] == [f"s-{i} of run 1" for i in (7, 6, 5, 4)]
    assert owners[0]["parts"] == [{"name": "f holds", "size": 2 * MIB}]
