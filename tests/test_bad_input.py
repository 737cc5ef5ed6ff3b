"""Bad input through whole pipelines: every row of the table ends as it says, the process lives, nothing is left.

The table is in `bad_input/`; what comes of it is `docs/reference/bad-input.md`, written by `cd tests; python -m bad_input`.
"""

from __future__ import annotations

import asyncio
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pyarrow.parquet as pq
import pytest
from bad_input import files
from bad_input.outcomes import Outcomes, outcomes_in
from bad_input.page import GROUPS, PAGE, page, versions
from bad_input.table import CASES, SETTINGS, Case

import brim
from brim import col


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcomes]:
    with outcomes_in(tmp_path_factory.mktemp("bad")) as made:
        yield made


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_bad_input_ends_as_the_table_says(case: Case, outcomes, request):
    if case.defect:
        request.applymarker(pytest.mark.xfail(reason=case.defect))
    outcome, shown = outcomes.of(case.id)
    if case.error is None:
        assert outcome.error is None
        assert outcome.rows == case.rows
        assert sum(operator.errors for operator in outcome.report.operators) == case.failed
        assert len(outcome.report.errors) == bool(case.failed)
    else:
        assert type(outcome.error) is case.error, shown
        assert issubclass(case.error, brim.BrimError) or case.group in ("Iterables", "Expressions")
        copied = pickle.loads(pickle.dumps(outcome.error))
        assert str(copied) == str(outcome.error)
    assert re.search(case.says, shown, re.DOTALL), shown


def test_nothing_is_left_of_runs_that_failed(outcomes):
    for case in CASES:
        outcomes.of(case.id)
    folder = outcomes.folder
    assert not list((folder / "spill").iterdir())
    assert not list(folder.rglob(".*.part"))
    assert not [child for child in psutil.Process().children() if "brim" in " ".join(child.cmdline())]


def test_no_file_appears_of_a_run_that_fails_half_way(outcomes):
    outcomes.of("sink_of_failing_run")
    assert not list(outcomes.place("sink_of_failing_run").folder.iterdir())


def test_a_dropped_row_is_kept_with_its_error_and_traceback(outcomes):
    outcomes.of("udf_raises_drop")
    (letter,) = pq.read_table(outcomes.place("udf_raises_drop").path("letters")).to_pylist()
    assert letter["id"] == 2
    assert letter["error"] == "ValueError: no twos here"
    assert "in fail_on_two" in letter["traceback"]


def test_cases_have_names_of_their_own():
    assert len(CASES) >= 40
    assert len({case.id for case in CASES}) == len(CASES)
    assert {case.group for case in CASES} == set(GROUPS)


def test_the_number_that_a_refusal_names_is_enough(tmp_path):
    pipelines = [
        brim.range(1000).with_columns(x=col("id") * 2),
        brim.from_pydict({"u": ["file:///none"]}).select(b=col("u").url.download(on_error="null")),
        brim.range(100).write_parquet(tmp_path / "out", mode="overwrite"),
    ]
    for pipeline in pipelines:
        with pytest.raises(brim.BudgetTooSmall) as refused:
            pipeline.run_blocking(memory="4MiB", progress=False)
        assert pipeline.run_blocking(memory=refused.value.needed_bytes, progress=False).rows
        with pytest.raises(brim.BudgetTooSmall):
            pipeline.run_blocking(memory=refused.value.needed_bytes * 9 // 10, progress=False)


def test_every_way_to_run_fails_alike_and_the_engine_goes_on(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"n": 1}\nnull\n')
    bad = brim.read_json(path, schema=files.N)
    good = brim.range(3)

    async def streamed(engine: brim.Engine) -> None:
        async with bad.stream(engine=engine) as batches:
            async for _ in batches:
                pass

    async def main() -> None:
        async with brim.Engine(memory="512MiB", spill_dir=tmp_path) as engine:
            for begin in (bad.run, bad.collect):
                with pytest.raises(brim.StageFailed, match="line 2: a row is an object, not null") as failed:
                    await begin(engine=engine)
                assert failed.value.operator_id == "read_json-1"
            with pytest.raises(brim.StageFailed, match="line 2"):
                await streamed(engine)
            assert (await good.run(engine=engine)).rows == 3
            assert engine.stats().ledger_used == 0

    asyncio.run(main())
    for begin in (bad.run_blocking, bad.collect_blocking):
        with pytest.raises(brim.StageFailed, match="line 2"):
            begin(**SETTINGS)


# What needs a machine of its own: a full disk, a read-only one, a public address. They run apart, in namespaces.


def _apart(script: str, *flags: str) -> list[str]:
    """The lines that `script` prints in a process with namespaces of its own."""
    command = ["unshare", "--user", "--map-root-user", *flags]
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip(f"this machine makes no namespaces: {' '.join(command)}")
    done = subprocess.run([*command, "sh", "-ec", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


_WRITE = """
import brim, os, sys
try:
    brim.range(1_000_000).write_csv("{folder}/out").run_blocking(memory="128MiB", progress=False)
except brim.StageFailed as failed:
    print(type(failed.__cause__).__name__, failed)
print(sorted(os.listdir("{folder}")))
"""


@pytest.mark.parametrize(
    ("options", "reason"), [("size=1m", "No space left on device"), ("ro,size=1m", "Read-only file system")]
)
def test_a_disk_that_is_full_or_read_only_is_named_and_left_as_it_was(tmp_path, options, reason):
    script = f"mount -t tmpfs -o {options} none {tmp_path}\n{sys.executable} -c '{_WRITE.format(folder=tmp_path)}'"
    error, left = _apart(script.replace('"', '\\"').replace("'", '"'), "--mount")
    assert error.startswith("TransferFailed write_csv (write_csv-2) failed: TransferFailed: ")
    assert str(tmp_path) in error
    assert error.endswith(reason)
    assert left == "[]"


_REDIRECT = """
import http.server, threading, urllib.parse, brim
from brim import col

class Away(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(302)
        self.send_header("Location", urllib.parse.unquote(self.path[1:]))
        self.end_headers()
    def log_message(self, *words): pass

server = http.server.ThreadingHTTPServer(("0.0.0.0", 0), Away)
threading.Thread(target=server.serve_forever, daemon=True).start()
port = server.server_port
for target in (f"http://127.0.0.1:{port}/", f"http://169.254.169.254/latest/", f"http://[::1]:{port}/"):
    urls = brim.from_pydict({"url": [f"http://93.184.216.34:{port}/{target}"]})
    try:
        urls.select(b=col("url").url.download(retries=0)).run_blocking(egress="public", progress=False)
    except brim.StageFailed as failed:
        print(type(failed.__cause__).__name__, failed.__cause__.reason)
"""


def test_a_public_address_that_redirects_to_a_private_one_is_denied(tmp_path):
    script = tmp_path / "redirect.py"
    script.write_text(_REDIRECT)
    setup = "ip link set lo up\nip address add 93.184.216.34/32 dev lo"
    if subprocess.run(["which", "ip"], capture_output=True, check=False).returncode:
        pytest.skip("this machine has no `ip` to give the loopback device a public address")
    lines = _apart(f"{setup}\n{sys.executable} {script}", "--net")
    assert lines == ["EgressDenied not an address this engine may dial"] * 3


def test_the_page_says_what_brim_says(outcomes):
    written = PAGE.read_text()
    if versions() not in written:
        pytest.skip(f"the page was written with other versions than {versions()}; the table has been checked")
    assert written == page(outcomes.of), "write it anew: cd tests; python -m bad_input"
