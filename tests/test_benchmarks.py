"""The benchmarks' frame at a small scale: whether it runs brim, measures from outside and sees wrong answers."""

import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.catalogue import WORKLOADS, workload_named
from benchmarks.cgroup import why_not
from benchmarks.cost import shares
from benchmarks.data.weights import weight_of
from benchmarks.materialise import lines
from benchmarks.metered import Clock
from benchmarks.page import DOCS, KINDS, text_of
from benchmarks.parquet_rows import batches_of, files_in
from benchmarks.process_tree import Sampler
from benchmarks.results import FOLDER, as_json, load, save
from benchmarks.rounds import Plan, Run, bare_bytes, runs
from benchmarks.survive import findings
from benchmarks.sweep import budgets, monotone, span, step, verdict
from benchmarks.web_server import NGINX, serving
from benchmarks.workload import Job
from benchmarks.workloads.w05_words import found as word_counts
from brim.sizes import MIB

MB = 1_000_000
SERVERS = [
    pytest.param(NGINX, marks=pytest.mark.skipif(NGINX is None, reason="nginx is not installed"), id="nginx"),
    pytest.param(None, id="aiohttp"),
]


@pytest.mark.slow
def test_workloads_run_on_brim_and_their_answers_are_right(tmp_path):
    options = [
        "--engines",
        "brim",
        "--rounds",
        "1",
        "--scale",
        "0.01",
        "--cache",
        tmp_path,
        "--json",
        tmp_path / "runs",
    ]
    command = [sys.executable, "-m", "benchmarks", "speed", "w1", "w4", "w10", *map(str, options)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=Path(__file__).parent.parent)
    entries = json.loads((tmp_path / "runs").read_text())
    done = [run for entry in entries for run in entry["runs"]]
    assert [(run["workload"], run["status"]) for run in done] == [("w1", "ok"), ("w4", "ok"), ("w10", "ok")]
    assert all(run["cpu_s"] > 0 and run["said_growth"] > 0 for run in done)
    assert done[0]["peak_growth"] > MB, "of the one that takes long enough to be seen from outside"


@pytest.mark.slow
def test_a_refusal_is_a_result_with_the_number_that_it_names(tmp_path):
    workload = workload_named("w10")
    plan = Plan(workload, ("brim",), 1, "1KiB", workload.make(tmp_path, 0.0001))
    (run,) = runs(plan)
    assert run.status == "refused"
    assert run.needed > MB


def test_a_wrong_answer_is_seen(tmp_path):
    workload = workload_named("w10")
    job = Job(str(workload.make(tmp_path, 0.0001)), "", "", "", print)
    with pytest.raises(AssertionError, match="3 rows, not"):
        workload.check({"rows": 3, "weight": 0.0}, job)


def _sorted_rows(rows):
    return rows.sort_by("v")


def _groups(rows):
    made = rows.group_by("k").aggregate([("v", "sum"), ("v", "count")])
    return made.rename_columns({"v_sum": "total", "v_count": "n"})


def _joined(rows):
    return rows.append_column("w", pa.array(weight_of(rows["k"].to_numpy())))


def _changed(name, change):
    """The table with another value in row 1 of column `name`."""

    def apply(table):
        values = table[name].to_pylist()
        values[1] = change(values[1])
        return table.set_column(table.schema.get_field_index(name), name, pa.array(values, table[name].type))

    return apply


WRONG = [
    ("w7", _groups, lambda table: table.slice(1), "groups, not"),
    ("w7", _groups, lambda table: pa.concat_tables([table, table.slice(0, 1)]), "groups, not"),
    ("w7", _groups, _changed("total", lambda value: value + 1e-3), "another sum"),
    ("w7", _groups, _changed("n", lambda value: value + 1), "another number of rows"),
    ("w7", _groups, lambda table: table.select(["k", "n", "total"]), "has columns"),
    ("w8", _sorted_rows, lambda table: table.sort_by([("v", "descending")]), "is not sorted"),
    ("w8", _sorted_rows, lambda table: table.slice(1), "Fingerprint"),
    (
        "w8",
        _sorted_rows,
        lambda table: pa.concat_tables([table.slice(0, 1), table.slice(0, 1), table.slice(2)]),
        "Fing",
    ),
    ("w8", _sorted_rows, _changed("g", lambda value: value + 1), "Fingerprint"),
    ("w8", _sorted_rows, _changed("s", lambda value: value + "0"), "whose s"),
    ("w9", _joined, _changed("w", lambda value: value + 1e-3), "another's weight"),
    ("w9", _joined, lambda table: table.slice(1), "Fingerprint"),
]


@pytest.mark.parametrize(("name", "make", "spoil", "message"), WRONG)
def test_what_is_written_is_checked_row_by_row(tmp_path, name, make, spoil, message):
    workload = workload_named(name)
    job = Job(str(workload.make(tmp_path, 0.00005)), "", str(tmp_path / "out"), "", print)
    right = make(pa.Table.from_batches(batches_of(files_in(job.data))))
    Path(job.out).mkdir()
    pq.write_table(right, f"{job.out}/rows.parquet")
    workload.check({}, job)
    pq.write_table(spoil(right), f"{job.out}/rows.parquet")
    with pytest.raises(AssertionError, match=message):
        workload.check({}, job)


def test_files_of_sorted_rows_must_not_overlap(tmp_path):
    workload = workload_named("w8")
    job = Job(str(workload.make(tmp_path, 0.00005)), "", str(tmp_path / "out"), "", print)
    rows = _sorted_rows(pa.Table.from_batches(batches_of(files_in(job.data))))
    Path(job.out).mkdir()
    for name, start, stop in (("b", 0, 400), ("a", 400, len(rows))):  # Daft's names have no order
        pq.write_table(rows.slice(start, stop - start), f"{job.out}/{name}.parquet")
    workload.check({}, job)
    for remainder, name in enumerate("ab"):
        pq.write_table(rows.take(np.arange(remainder, len(rows), 2)), f"{job.out}/{name}.parquet")
    with pytest.raises(AssertionError, match="overlap"):
        workload.check({}, job)


def test_counts_of_words_are_told_apart():
    right = pa.table({"word": ["b", "a"], "n": [1, 2]})
    assert word_counts(right) == word_counts(right.take([1, 0]))
    assert word_counts(right)["words"] == 3
    assert word_counts(right) != word_counts(pa.table({"word": ["b", "a"], "n": [2, 1]}))


def test_the_other_side_of_the_join_has_each_key_once(tmp_path):
    workload = workload_named("w9")
    orders = workload.make(tmp_path, 0.00005)
    keys = pq.read_table(next(tmp_path.glob("weights-*/weights.parquet")))["k"].to_numpy()
    assert sorted(keys) == list(range(250))
    assert max(batch["k"].to_numpy().max() for batch in batches_of(files_in(orders))) < 250


@pytest.mark.slow
def test_engines_group_sort_join_and_count_words_alike(tmp_path):
    for workload in map(workload_named, ("w5-words", "w7", "w8", "w9")):
        data = workload.make(tmp_path, 0.005)
        for run in runs(Plan(workload, ("brim", "duckdb"), 1, "256MiB", data, limit="300MB")):
            assert (run.status, run.left) == ("ok", 0), (run.workload, run.engine, run.error)


@pytest.mark.slow
@pytest.mark.parametrize(("command", "extra"), [("materialise", ("--engines", "brim", "--rounds", "1")), ("large", ())])
def test_commands_for_what_does_not_fit_keep_what_they_found(tmp_path, command, extra):
    if (reason := why_not()) and command == "materialise":
        pytest.skip(reason)
    options = ["w8", "--scale", "0.005", "--cache", tmp_path, "--json", tmp_path / "found", *extra]
    words = [sys.executable, "-m", "benchmarks", command, *map(str, options)]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, cwd=Path(__file__).parent.parent)
    (entry,) = load(tmp_path / "found")
    done = [run for case in entry["cases"] for run in case["runs"]] if command == "materialise" else [entry["run"]]
    assert [(run["status"], run["left"]) for run in done] == [("ok", 0)] * (2 if command == "materialise" else 1)
    assert len(text_of({command: [entry]}).splitlines()) > 10


def test_an_engine_is_compared_with_brim_in_the_same_cgroup():
    def case(engine, cgroup, memory, limit, *seconds, **facts):
        done = [_run(engine=engine, status="ok", seconds=one, **facts) for one in seconds] or [_run(engine=engine)]
        return {
            "engine": engine,
            "cgroup": cgroup,
            "memory": memory,
            "limit": limit,
            "runs": [as_json(run) for run in done],
        }

    told = {"spilled": 700 * MB, "peak_growth": 410 * MB, "open_growth": 5 * MB, "said_growth": 398 * MB}
    entry = {
        "workload": "w8",
        "cases": [
            case("brim", 512 * MB, "384MiB", "", 4.0, 5.0, 6.0, **told),
            case("duckdb", 512 * MB, "", "300MB", 6.0),
            case("polars", 512 * MB, "", "300MB"),
            case("brim", 1000 * MB, "768MiB", "", 3.0, **told),
            case("duckdb", 1000 * MB, "", "600MB", 6.0),
            case("daft", None, "", "", 15.0),
        ],
    }
    found = [line[2:8] + line[11:] for line in lines(entry)]
    assert found == [
        ("512 MB", "384MiB", "5.00", "4.00 - 6.00", "1.00", "", "no", "700", "3 ok"),
        ("512 MB", "300MB", "6.00", "6.00 - 6.00", "1.20", ">= 1.3: missed", "-", "-", "1 ok"),
        ("512 MB", "300MB", "-", "-", "-", "", "-", "-", "1 killed"),
        ("1,000 MB", "768MiB", "3.00", "3.00 - 3.00", "1.00", "", "yes", "700", "1 ok"),
        ("1,000 MB", "600MB", "6.00", "6.00 - 6.00", "2.00", ">= 1.3: met", "-", "-", "1 ok"),
        ("-", "-", "15.00", "15.00 - 15.00", "3.00", ">= 2.5: met", "-", "-", "1 ok"),
    ]


def test_data_of_a_seed_are_made_once(tmp_path):
    make = workload_named("w10").make
    first = make(tmp_path, 0.0001)
    written = [path.stat().st_mtime_ns for path in sorted(first.iterdir())]
    assert make(tmp_path, 0.0001) == first
    assert [path.stat().st_mtime_ns for path in sorted(first.iterdir())] == written


@pytest.mark.parametrize("exact", [False, True], ids=["plainly", "exactly"])
def test_the_sampler_sees_what_a_child_of_a_child_holds(exact):
    inner = "held = bytearray(80_000_000); print(flush=True); input()"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    with subprocess.Popen(
        [sys.executable, "-c", outer], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        sampler = Sampler(process.pid, exact)
        sampler.start()
        process.stdout.readline()
        deadline = time.monotonic() + 10
        while sampler.peaks.growth < 80 * MB and time.monotonic() < deadline:
            sampler.growth()
        peaks = sampler.stop()
        process.communicate("\n")
    assert 80 * MB <= peaks.growth <= peaks.resident < 200 * MB


@pytest.mark.parametrize("nginx", SERVERS)
def test_a_file_is_served_under_its_name_and_under_many(tmp_path, nginx):
    (tmp_path / "body.bin").write_bytes(b"brim")
    with serving(tmp_path, nginx) as url:
        for path in ("body.bin", "same/body.bin/1", "same/body.bin/2"):
            with urllib.request.urlopen(f"{url}/{path}") as answer:
                assert answer.read() == b"brim"


def test_an_engine_that_uses_too_much_is_killed_and_one_that_is_bare_is_not(tmp_path):
    if reason := why_not():
        pytest.skip(reason)
    workload = workload_named("w10")
    data = workload.make(tmp_path, 0.001)
    bare = bare_bytes(workload, "brim")
    assert 10 * MB < bare < 300 * MB
    (killed,) = runs(Plan(workload, ("brim",), 1, "64MiB", data, bare // 2))
    (survived,) = runs(Plan(workload, ("brim",), 1, "64MiB", data, bare + 500 * MB))
    assert (killed.status, killed.kills > 0) == ("killed", True)
    assert (survived.status, survived.kills) == ("ok", 0)


@pytest.mark.slow
def test_a_command_tells_who_survived(tmp_path):
    if reason := why_not():
        pytest.skip(reason)
    options = [
        "--engines",
        "brim",
        "--runs",
        "2",
        "--scale",
        "0.001",
        "--cache",
        tmp_path,
        "--json",
        tmp_path / "found",
    ]
    command = [sys.executable, "-m", "benchmarks", "survive", "w10@64MiB", *map(str, options)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=Path(__file__).parent.parent)
    (entry,) = load(tmp_path / "found")
    found = entry["engines"]["brim"]
    assert (found["survived"], found["kills"], found["within"]) == (2, 0, True)
    assert found["cgroup"] == found["bare"] + 96 * MIB
    assert entry["command"].endswith("survive w10@64MiB --engines brim --runs 2 --scale 0.001")


def test_steps_between_budgets_are_equal_factors():
    found = budgets(*span("48MiB..2GiB"), 12)
    assert (len(found), found[0], found[-1]) == (12, 48, 2048)
    factors = [after / before for before, after in pairwise(found)]
    assert factors == pytest.approx([(2048 / 48) ** (1 / 11)] * 11, rel=0.02)
    assert budgets(*span("64MiB..256MiB"), 3) == [64, 128, 256]


def _run(**facts):
    return Run("w1", facts.pop("engine", "brim"), 1, "256MiB", **facts)


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (("ok", "ok"), True),
        (("refused", "refused", "ok", "ok"), True),
        (("refused", "ok", "refused", "ok"), False),
        (("ok", "failed"), False),
        (("refused",), True),
    ],
)
def test_success_is_monotone_when_nothing_above_a_success_fails(statuses, expected):
    steps = [step(48 * 2**place, [_run(status=status)]) for place, status in enumerate(statuses)]
    assert monotone(steps) is expected
    assert monotone(steps[::-1]) is expected
    assert verdict(steps)[0] == ("success is monotone" if expected else "success is NOT monotone")


def test_a_refused_step_names_the_number_rounded_up_and_says_whether_it_ran():
    refused = step(48, [_run(status="refused", needed=60 * MIB + 1), _run(status="ok", seconds=1.0)])
    assert (refused["status"], refused["named"], refused["seconds"]) == ("refused", 61, None)
    assert "naming 61 MiB: it does NOT run" in verdict([refused])[1]
    assert "naming 61 MiB: it runs" in verdict([{**refused, "with_named": "ok"}])[1]


def test_a_step_that_grows_beyond_its_budget_is_told():
    grown = step(64, [_run(status="ok", seconds=2.0, peak_growth=65 * MIB), _run(status="ok", seconds=1.0)])
    assert (grown["seconds"], grown["growth"]) == (1.5, 65 * MIB)
    assert verdict([grown]) == ["success is monotone", "none refused", "grew by 65 MiB at 64 MiB"]


def test_survival_counts_kills_and_compares_the_report_with_what_was_seen():
    ended = [
        _run(status="ok", seconds=3.0, peak_growth=210 * MIB, open_growth=10 * MIB, said_growth=190 * MIB),
        _run(status="ok", seconds=1.0, peak_growth=110 * MIB, open_growth=10 * MIB, said_growth=100 * MIB),
    ]
    found = findings([*ended, _run(status="killed", kills=2)], 256 * MIB)
    assert (found["runs"], found["survived"], found["kills"]) == (3, 2, 2)
    assert (found["growth_median"], found["growth_worst"], found["said_worst"]) == (150 * MIB, 200 * MIB, 190 * MIB)
    assert found["differs_worst"] == pytest.approx(0.05)
    assert found["differs_median"] == pytest.approx(0.025)
    assert (found["within"], found["seconds"]) == (True, 2.0)
    assert findings(ended, 199 * MIB)["within"] is False
    assert findings([_run(status="killed", kills=1)], MIB)["within"] is None


def test_the_share_of_a_part_is_of_the_time_without_clocks():
    plain = [{"cpu_s": 2.0}, {"cpu_s": 1.0}, {"cpu_s": 4.0}]
    metered = [{"cpu_s": 2.2, "parts": {"ledger": {"calls": 10, "cpu_s": 0.02}}}]
    found = shares(plain, metered)
    assert found["parts"]["ledger"]["share"] == pytest.approx(0.01)
    assert found["share"] == pytest.approx(0.01)
    assert found["with_clocks"] == pytest.approx(0.1)


def test_a_clock_counts_outermost_calls_and_stretches_of_coroutines():
    clock = Clock()

    def spend():
        begun = time.thread_time_ns()
        while time.thread_time_ns() - begun < 2_000_000:
            pass

    inner = clock.around(spend)

    @clock.around
    async def outer():
        inner()
        await asyncio.sleep(0)
        inner()
        return 7

    assert asyncio.run(outer()) == 7
    assert clock.calls == 2
    assert 4_000_000 <= clock.ns < 60_000_000


def test_clocks_hand_exceptions_through():
    clock = Clock()

    @clock.around
    async def waiting():
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            return "cancelled"

    async def cancelled():
        task = asyncio.ensure_future(waiting())
        await asyncio.sleep(0)
        task.cancel()
        return await task

    assert asyncio.run(cancelled()) == "cancelled"


def test_a_saved_entry_replaces_the_one_of_its_workload_and_budget(tmp_path):
    path = tmp_path / "results" / "survive.json"
    save(path, [{"workload": "w10", "memory": "64MiB", "runs": 1}, {"workload": "w2", "memory": "64MiB", "runs": 1}])
    save(path, [{"workload": "w10", "memory": "64MiB", "runs": 2}, {"workload": "w10", "memory": "1GiB", "runs": 3}])
    assert [(entry["workload"], entry["memory"], entry["runs"]) for entry in load(path)] == [
        ("w2", "64MiB", 1),
        ("w10", "1GiB", 3),
        ("w10", "64MiB", 2),
    ]


def test_the_page_shows_every_result():
    speed = [
        as_json(_run(status="ok", seconds=2.0, version="0.1")),
        as_json(_run(engine="daft", status="ok", seconds=6.0)),
    ]
    runs_of_two = [
        _run(status="ok", seconds=1.0, peak_growth=100 * MIB, said_growth=98 * MIB),
        _run(status="killed", kills=1),
    ]
    told = {"command": "python -m benchmarks x", "machine": "2 cores"}
    engines = {"brim": {"bare": 50 * MIB, "cgroup": 338 * MIB, **findings(runs_of_two, 256 * MIB)}}
    refused = {**step(48, [_run(status="refused", needed=60 * MIB)]), "with_named": "ok"}
    part = {"calls": 5, "cpu_s": 0.01, "share": 0.01}
    there = {"seconds": 0.5, "calls": 4, "sent": 1_010_000, "read": 10_000, "engine_s": 0.001, "workers_s": 0.002}
    back = {"seconds": 0.5, "written": 1_010_000}
    rows = {"size": 1024, "rows": 1000, "bytes": 1_000_000, "len": there, "same": back, "growth": 50_000_000}
    page = text_of(
        {
            "survive": [{"workload": "w1", "memory": "256MiB", "engines": engines, **told}],
            "speed": [
                {"workload": "w1", "memory": "256MiB", "title": "W1: photographs", "target": 2.5, "runs": speed, **told}
            ],
            "transport": [{"workload": "w4", "memory": "256MiB", "sizes": [rows], **told}],
            "sweep": [{"workload": "w1", "steps": [refused, step(67, [_run(status="ok", seconds=1.0)])], **told}],
            "cost": [
                {
                    "workload": "w10",
                    "memory": "4GiB",
                    "cpu_s": 1.0,
                    "parts": {"ledger": part},
                    "share": 0.01,
                    "with_clocks": 0.2,
                    **told,
                }
            ],
        }
    )
    assert "| 1 KiB | 1,000 | 4 | 2 | 1.00 | 2.00 | 1.02 | 2 | 1.01 | 50 |" in page
    assert "| W1 | brim | 256MiB | 338 | 1 of 2 | 1 | 100 | 100 | 98 | 2.0 - 2.0 % | yes | 1.00 |" in page
    assert "| W1 | daft | 6.00 | 6.00 - 6.00 | 3.00 | >= 2.5: met |" in page
    assert "- W1: success is monotone; 1 refused, naming 60 MiB: it runs" in page
    assert "| W1 | 48 | refused | - | - | - | 60 | ok |" in page
    assert "| together |  | 10.0 | 1.00 % (aim: 3 %, met) |" in page
    widths = [{line.count("|") for line in block.splitlines() if line.startswith("|")} for block in page.split("\n\n")]
    assert all(len(width) <= 1 for width in widths)


def test_the_page_in_the_docs_is_made_from_the_results():
    found = {name: load(FOLDER / f"{name}.json") for name in KINDS}
    assert (DOCS / "benchmarks.md").read_text() == text_of(found), "run `make bench-page`"


def test_workloads_have_names_of_their_own():
    names = [workload.name for workload in WORKLOADS]
    assert len(set(names)) == len(names)
    assert all("brim" in workload.engines for workload in WORKLOADS)
