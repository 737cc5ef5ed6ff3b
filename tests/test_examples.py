"""Every example runs as a program of its own and says what it should; a service is served in `test_embedding.py`.

The worker that writes rolling files is fed here, and the notebook's cells run.
"""

from __future__ import annotations

import ast
import asyncio
import json
import runpy
import subprocess
import sys
from pathlib import Path

import notebook_cells
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from example_services import example
from leaks import nothing_left

import brim

EXAMPLES = Path(__file__).parents[1] / "examples"
SAYS = {
    "first_program.py": ["write_parquet-6", "24 rows in", "colour", "/photos/000.jpg"],
    "queue_consumer.py": ["a file of 100 messages, 10,000 rows", "a file of 50 messages, 5,000 rows", "3 files"],
    "dead_letters.py": ["1,000 rows in", "2 rows in ['.parquet']", "yesterday", "day is out of range for month"],
    "call_a_service.py": ["150 rows, the last ROW 149", "calls at once", "pauses of 1."],
    "sentence_embeddings.py": ["SentenceModel(text)", "200 rows in", "texts/s"],
    "json_lines.py": ["line 3: invalid literal", "by_country/country=GB/part-", '"name":"Zoe","paid":true'],
}
SERVED = {"aiohttp_service.py", "starlette_service.py", "answer_bodies.py", "drain.py"}
SERVICES = {"aiohttp_service.py", "starlette_service.py", "queue_consumer.py"}
LINES, LINES_OF_A_SERVICE = 70, 140
NOTEBOOK = EXAMPLES / "notebook.ipynb"


def test_every_example_is_run_by_a_test():
    assert {path.name for path in EXAMPLES.glob("*.py")} == SAYS.keys() | SERVED
    assert list(EXAMPLES.glob("*.ipynb")) == [NOTEBOOK]


@pytest.mark.parametrize("name", SAYS)
def test_an_example_runs_and_says_what_it_should(name, tmp_path):
    command = [sys.executable, "-W", "error", str(EXAMPLES / name)]
    done = subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    for words in SAYS[name]:
        assert words in done.stdout
    assert not done.stderr


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_an_example_is_short_and_its_first_line_says_what_it_shows(path):
    text = path.read_text()
    assert len(text.splitlines()) <= (LINES_OF_A_SERVICE if path.name in SERVICES else LINES)
    assert (ast.get_docstring(ast.parse(text)) or "").splitlines()[0].endswith((".", ","))


def test_the_vectors_of_the_model_have_length_1_and_are_those_of_all_minilm_l6_v2():
    model = runpy.run_path(str(EXAMPLES / "sentence_embeddings.py"))["SentenceModel"]()
    texts = ["That is a happy person", "That is a very happy person", "That is a happy dog", "Today is a sunny day"]
    longer = [" ".join([text, *["and so on"] * 200]) for text in texts]
    found = model(pa.array([*texts, *longer, None])).flatten().to_numpy().reshape(-1, 384)
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert np.allclose(found[0] @ found[1:4].T, [0.943, 0.695, 0.257], atol=0.01)  # as the model's page has them


def _rolling(tmp_path, drive, **bounds):
    """Run a consumer while `drive(queue, consumer)` gives it messages; the rows of its files, in the order of their end."""
    module = example("queue_consumer")

    async def main():
        queue = asyncio.Queue(maxsize=4)
        consumer = module.Consumer(queue, tmp_path / "rolled", **bounds)
        async with (
            brim.Engine("128MiB", max_runs=1, spill_dir=tmp_path / "spill") as engine,
            asyncio.TaskGroup() as tasks,
        ):
            tasks.create_task(consumer.consume(engine))
            await drive(queue, consumer)
        return queue

    with nothing_left(tmp_path / "spill"):
        queue = asyncio.run(main())
    files = sorted((tmp_path / "rolled").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    return [pq.read_table(path)["celsius"].to_pylist() for path in files], queue


def _message(*celsius):
    return [{"sensor": "s", "celsius": value} for value in celsius]


def test_files_roll_by_rows_and_the_last_has_the_rest(tmp_path):
    async def drive(queue, consumer):
        for number in range(7):
            await queue.put(_message(float(number)))
        await queue.put(None)
        await queue.join()

    files, _ = _rolling(tmp_path, drive, rows=3)
    assert files == [[0, 1, 2], [3, 4, 5], [6]]


def test_a_queue_that_ends_with_a_full_file_makes_no_empty_one(tmp_path):
    async def drive(queue, consumer):
        await queue.put(_message(0.0, 1.0))
        await queue.put(None)

    assert _rolling(tmp_path, drive, rows=2)[0] == [[0, 1]]


def test_files_roll_by_time_and_a_message_is_done_once_its_file_is_there(tmp_path):
    async def drive(queue, consumer):
        for number in range(2):
            await queue.put(_message(float(number)))
            await queue.join()
            assert len(list(consumer.folder.glob("*.parquet"))) == number + 1
        await queue.put(None)

    assert _rolling(tmp_path, drive, seconds=0.05)[0] == [[0], [1]]


def test_a_consumer_that_is_ended_writes_what_it_has_and_leaves_the_rest(tmp_path):
    async def drive(queue, consumer):
        await queue.put(_message(0.0))
        while not (consumer.taken and queue._getters):  # it waits for the next message of the file
            await asyncio.sleep(0)
        consumer.end()
        await queue.join()
        await queue.put(_message(1.0))

    files, queue = _rolling(tmp_path, drive)
    assert files == [[0]]
    assert queue.qsize() == 1


def test_the_cells_of_the_notebook_show_what_is_kept_in_it(tmp_path):
    """`python -m notebook_cells` writes them anew. Plans and reports have figures of their own each time."""
    shown = notebook_cells.run(NOTEBOOK, tmp_path)
    kept = [cell["outputs"] for cell in notebook_cells.cells(NOTEBOOK)]
    for now, then in zip(shown, kept, strict=True):
        assert [output["output_type"] for output in now] == [output["output_type"] for output in then]
        assert _lasting(now) == _lasting(then)
    assert "MiB" in json.dumps(kept)


def _lasting(outputs):
    """What a cell shows, but for texts with figures of memory or time."""
    texts = ["".join(output.get("text", ()) or output["data"]["text/plain"]) for output in outputs]
    return [text for text in texts if "MiB" not in text]
