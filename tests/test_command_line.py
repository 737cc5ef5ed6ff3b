"""The command line as people use it: a process of its own, its output, its files, its exit code, its signals."""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import textwrap
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pyarrow.parquet as pq
import pytest
from PIL import Image
from rich.console import Console

from brim import Bottleneck, OperatorReport, Report, __version__
from brim.command_line import main
from brim.command_line.tables import report_table
from brim.command_line.target import Unusable, pipeline_at

JOBS = """
    import time
    import pyarrow as pa
    import brim
    from brim import col

    evens = brim.range(10_000).filter(col("id") % 2 == 0)
    not_one = 7

    class Nested:
        odds = brim.range(10).filter(col("id") % 2 == 1)

    def made():
        return evens.write_parquet("evens.parquet", mode="overwrite")

    def needs(path):
        return brim.read_parquet(path)

    def misspelt():
        return evens.select("idd")

    @brim.udf(returns=pa.int64(), batch_size=10, concurrency=2)
    def slow(numbers):
        open("begun", "a").close()
        time.sleep(0.05)
        return numbers

    @brim.row_udf(returns=pa.int64(), concurrency=1)
    def broken(number):
        raise ValueError(f"cannot embed {number}")

    @brim.udf(returns=pa.int64())
    class NeverReady:
        def __init__(self):
            open("building", "a").close()
            time.sleep(600)

        def __call__(self, numbers):
            return numbers

    never_ready = brim.range(10).with_columns(same=NeverReady()(col("id")))
    brief = brim.range(200).with_columns(same=slow(col("id")))
    endless = brim.range(10**9).with_columns(same=slow(col("id"))).write_parquet("endless.parquet")
    failing = evens.with_columns(vector=broken(col("id")))
"""


BRIM = (str(Path(sys.executable).with_name("brim")),)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "jobs.py").write_text(textwrap.dedent(JOBS))
    (tmp_path / "spill").mkdir()
    return tmp_path


def start(folder, *arguments, program=BRIM, stderr=subprocess.PIPE, **variables):
    command = [*program, *map(str, arguments)]
    environment = {**os.environ, "TMPDIR": str(folder / "spill"), "PYTHONPATH": "", **variables}
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": stderr}
    return subprocess.Popen(command, cwd=folder, env=environment, text=True, process_group=0, **pipes)


def brim(folder, *arguments):
    """The exit code, what was written to standard output, and to standard error."""
    process = start(folder, *arguments)
    out, errors = process.communicate(timeout=60)
    return process.returncode, out, errors


def left_in(folder):
    return [path.name for path in (folder / "spill").iterdir()]


def test_the_demo_makes_a_table_and_a_contact_sheet_and_can_be_run_again(folder):
    code, out, errors = brim(folder, "demo", "--count", "40", "--out", "made")
    assert (code, errors) == (0, "")
    assert out.startswith("cutting 40 photographs …\nserving 40 photographs, ")
    for words in (
        "\n40 rows in ",
        "\nbottleneck: ",
        "\nwith_columns-2.download ",
        "/photos/002.jpg ",
        "\n40 of 40 rows in made/thumbnails.parquet\n",
        "\ncontact sheet: made/contact-sheet.png\n",
        " s; the process tree grew by at most ",
        " MiB, of 256.0 MiB\n",
    ):
        assert words in out
    table = pq.read_table(folder / "made" / "thumbnails.parquet")
    assert table.column_names == ["id", "url", "vector", "thumb"]
    assert table["id"].to_pylist() == list(range(40))
    vectors = np.array(table["vector"].to_pylist())
    assert vectors.shape == (40, 32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1)
    assert len(np.unique(vectors.round(4), axis=0)) == 40
    with Image.open(folder / "made" / "contact-sheet.png") as sheet:
        assert sheet.size == (10 * 116 + 4, 4 * 116 + 4)

    code, out, errors = brim(folder, "demo", "--count", "6", "--seed", "8", "--memory", "300MiB", "--out", "made")
    assert (code, errors) == (0, "")
    assert "6 of 6 rows" in out
    assert "of 300.0 MiB" in out
    assert pq.read_metadata(folder / "made" / "thumbnails.parquet").num_rows == 6
    assert sorted(path.name for path in (folder / "made").iterdir()) == [
        "contact-sheet.png", "thumbnails.parquet", "urls.parquet",
    ]  # fmt: skip
    assert left_in(folder) == []


def test_run_prints_the_report_and_nothing_else(folder):
    code, out, errors = brim(folder, "run", "jobs:evens", "--memory", "128MiB", "--threads", "1")
    assert (code, errors) == (0, "")
    assert out.startswith("5,000 rows in ")
    assert "of 128.0 MiB" in out


@pytest.mark.parametrize(("target", "rows"), [("jobs:made", 5000), ("jobs:Nested.odds", 5)])
def test_run_gives_the_report_as_json(folder, target, rows):
    code, out, errors = brim(folder, "run", target, "--json", "--memory", "256MiB", "--spill-dir", "spill")
    assert (code, errors) == (0, "")
    report = json.loads(out)
    assert report["rows"] == rows
    assert report["memory"] == 256 << 20
    assert report["operators"][0]["id"] == "range-1"
    assert (folder / "evens.parquet").exists() == (target == "jobs:made")
    assert left_in(folder) == []


def test_explain_prints_the_plan_and_runs_nothing(folder):
    code, out, errors = brim(folder, "explain", "jobs:made", "--memory", "256MiB")
    assert (code, errors) == (0, "")
    assert out.startswith("declared")
    assert "256.0 MiB  given" in out
    assert not (folder / "evens.parquet").exists()


def test_explain_can_run_it_and_show_what_happened_beside(folder):
    code, out, errors = brim(folder, "explain", "jobs:made", "--analyze", "--memory", "256MiB")
    assert (code, errors) == (0, "")
    assert "10,000" in out
    assert "5,000" in out
    assert pq.read_metadata(folder / "evens.parquet").num_rows == 5000


def test_run_writes_the_report_as_a_page(folder):
    code, out, errors = brim(folder, "run", "jobs:evens", "--memory", "128MiB", "--html", "report.html")
    assert (code, errors) == (0, "")
    assert out.startswith("5,000 rows in ")
    page = (folder / "report.html").read_text()
    assert page.lower().startswith("<!doctype html>")
    assert "filter" in page


def test_the_version_and_the_module_are_there(folder):
    assert brim(folder, "--version") == (0, f"brim {__version__}\n", "")
    command = [sys.executable, "-m", "brim", "--version"]
    assert subprocess.check_output(command, text=True) == f"brim {__version__}\n"


def test_a_target_that_is_not_there_is_misuse(folder):
    assert brim(folder, "run", "jobs:missing") == (2, "", "brim: jobs has nothing called 'missing'\n")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("jobs", "write module:name"),
        ("jobs:Nested.missing", "jobs has nothing called 'Nested.missing'"),
        ("jobz:evens", "no module called 'jobz'"),
        ("jobs.more:evens", "no module called 'jobs.more'"),
        ("jobs:not_one", "jobs:not_one is no pipeline, and no function that returns one, but int"),
        ("jobs:needs", "jobs:needs is called without arguments, and takes path"),
    ],
)
def test_a_target_that_is_no_pipeline_is_refused_with_the_reason(folder, monkeypatch, target, words):
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "jobs", raising=False)
    with pytest.raises(Unusable, match=words):
        pipeline_at(target)
    sys.modules.pop("jobs", None)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["explain", "jobs:evens", "--memory", "1XB"], "'1XB' is no size"),
        (["run", "jobs:evens", "--threads", "0"], "'0' is no whole number"),
        (["demo", "--count", "many"], "'many' is no whole number"),
        (["run", "jobs:evens", "--egress", "some"], "invalid choice"),
        (["run", "jobs:evens", "--html", "missing/report.html"], "no file can be written at 'missing/report.html'"),
        ([], "required: command"),
    ],
)
def test_options_that_mean_nothing_are_misuse(capsys, arguments, words):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["run", "jobs:misspelt"],
            "brim: jobs.py:20: UnknownColumn: select-3: no column 'idd' among ['id']; did you mean 'id'?\n",
        ),
        (["run", "jobs:evens", "--memory", "20MiB"], "brim: BudgetTooSmall: memory of 20.0 MiB is too small: give "),
        (["run", "jobs:failing", "--memory", "512MiB"], "brim: StageFailed: broken (with_columns-3.broken) failed: "),
    ],
)
def test_an_error_is_one_message_that_says_where(folder, arguments, message):
    code, out, errors = brim(folder, *arguments)
    assert (code, out) == (1, "")
    assert errors.startswith(message)
    assert 'File "' not in errors.partition("; it last printed")[0].partition("Traceback")[0]


def test_a_report_on_a_terminal_says_what_would_help_and_takes_no_name_for_markup():
    operator = OperatorReport("[red]-2", "[red]", 1, 1, 1, 1, 0.5, 0, 0, 0, 0, 0, 0)
    bottleneck = Bottleneck("[red]-2", "cpu", 0.5, "give it [bold] more")
    console = Console(record=True, width=80, file=io.StringIO())
    console.print(report_table(Report(1, 1.0, 1, 1, 0, bottleneck, (operator,), ("[i] failed",), 2)))
    lines = [line.rstrip() for line in console.export_text().splitlines()]
    assert lines[1:3] == ["bottleneck: [red]-2 (cpu) caused 50% of the waiting", "relief: give it [bold] more"]
    assert lines[4].split()[:3] == ["[red]", "1", "1"]
    assert lines[5] == "! [i] failed"


def test_the_traceback_of_an_error_is_shown_where_it_is_asked_for(folder):
    code, _, errors = brim(folder, "run", "jobs:misspelt", "--traceback")
    assert code == 1
    assert errors.startswith("Traceback (most recent call last):")
    assert "jobs.py" in errors


def interrupted(process, number, within_s=10.0):
    """Send a signal as a terminal does, to all of the process group; output and code, once everything has ended."""
    children = psutil.Process(process.pid).children(recursive=True)
    assert children
    sent = time.monotonic()
    os.killpg(process.pid, number)
    out, errors = process.communicate(timeout=30)
    took = time.monotonic() - sent
    _, alive = psutil.wait_procs(children, timeout=within_s)
    assert not alive
    assert took < within_s
    return process.returncode, out, errors


def wait_for(process, happened):
    until = time.monotonic() + 30
    while not happened():
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        (signal.SIGINT, 130, "interrupted"),
        (signal.SIGTERM, 143, "ended by SIGTERM"),
        (signal.SIGHUP, 129, "ended by SIGHUP"),
    ],
)
def test_a_signal_ends_a_run_in_good_order_with_the_report_of_what_was_done(folder, number, code, said):
    process = start(folder, "run", "jobs:endless", "--memory", "512MiB", "--processes", "2", "--json")
    wait_for(process, (folder / "begun").exists)
    ended, out, errors = interrupted(process, number)
    assert (ended, errors) == (code, f"brim: {said}\n")
    report = json.loads(out)
    assert report["rows"] == 0
    assert report["operators"][0]["rows_out"] > 0
    assert {path.name for path in folder.iterdir()} - {"__pycache__"} == {"begun", "jobs.py", "spill"}
    assert left_in(folder) == []


def test_a_live_page_is_served_while_it_runs(folder):
    process = start(
        folder, "run", "jobs:endless", "--memory", "512MiB", "--processes", "1", "--dashboard", "127.0.0.1:0"
    )
    said = process.stderr.readline()
    assert said.startswith("brim: live page at http://127.0.0.1:")
    with urllib.request.urlopen(said.split()[-1], timeout=30) as answer:
        assert answer.status == 200
        assert b"<title>" in answer.read()
    wait_for(process, (folder / "begun").exists)
    code, _, errors = interrupted(process, signal.SIGINT)
    assert (code, errors) == (130, "brim: interrupted\n")


def test_an_address_for_the_page_that_is_none_is_one_message(folder):
    code, _, errors = brim(folder, "run", "jobs:evens", "--dashboard", "here")
    assert code == 1
    assert errors.startswith("brim: PlanError: the address of a dashboard is ")


def test_a_signal_that_is_ignored_stays_ignored(folder):
    """As when started by `nohup`."""
    ignoring = "import signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    command = [sys.executable, "-c", f"{ignoring}; from brim.command_line import main; sys.exit(main())"]
    process = start(folder, "run", "jobs:endless", "--memory", "512MiB", "--processes", "1", program=command)
    wait_for(process, (folder / "begun").exists)
    process.send_signal(signal.SIGHUP)
    code, _, errors = interrupted(process, signal.SIGTERM)
    assert (code, errors) == (143, "brim: ended by SIGTERM\n")


def test_a_signal_before_the_run_begins_says_so(folder):
    process = start(folder, "run", "jobs:never_ready", "--memory", "512MiB")
    wait_for(process, (folder / "building").exists)
    code, out, errors = interrupted(process, signal.SIGINT)
    assert (code, out, errors) == (130, "", "brim: interrupted before the run began\n")
    assert left_in(folder) == []


def test_on_a_terminal_the_picture_is_drawn_on_standard_error_and_the_report_is_not(folder):
    terminal, errors = pty.openpty()
    fcntl.ioctl(errors, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    process = start(folder, "run", "jobs:brief", "--memory", "512MiB", "--processes", "1", stderr=errors, TERM="xterm")
    os.close(errors)
    drawn = b""
    with suppress(OSError):  # how a pseudo terminal ends
        while piece := os.read(terminal, 65536):
            drawn += piece
    os.close(terminal)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert out.startswith("200 rows in ")
    assert "\nrelief: " in out
    text = drawn.decode()
    assert "starting, " in text
    last = text.split("operator")[-1]
    for words in ("✓ done", "200 of 200 in ", " rows/s", " of 512.0 MiB", "slowest  "):
        assert words in last
    assert "rows out" not in text


def test_a_signal_ends_the_demo_while_it_cuts_photographs(folder):
    process = start(folder, "demo", "--count", "5000")
    wait_for(process, lambda: list((folder / "spill").glob("brim-demo-*/*.jpg")))
    code, _, errors = interrupted(process, signal.SIGINT)
    assert (code, errors) == (130, "brim: interrupted\n")
    assert left_in(folder) == []


def test_a_signal_ends_the_demo_while_it_runs(folder):
    process = start(folder, "demo", "--count", "150")
    wait_for(process, lambda: list((folder / "out" / "demo").glob("*thumbnails*")))
    code, out, errors = interrupted(process, signal.SIGINT)
    assert (code, errors) == (130, "brim: interrupted\n")
    assert "\n0 rows in " in out
    assert {path.name for path in (folder / "out" / "demo").iterdir()} == {"urls.parquet"}
    assert left_in(folder) == []
