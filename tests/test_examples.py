"""Every example runs as a program of its own and says what it should; a service is served in `test_embedding.py`."""

from __future__ import annotations

import ast
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
SAYS = {
    "first_program.py": ["write_parquet-6", "24 rows in", "colour", "/photos/000.jpg"],
    "queue_consumer.py": ["56 of 200 messages were warm", "'fahrenheit': 78.8"],
    "dead_letters.py": ["1,000 rows in", "2 rows in ['.parquet']", "yesterday", "day is out of range for month"],
    "call_a_service.py": ["150 rows, the last ROW 149", "calls at once", "pauses of 1."],
    "sentence_embeddings.py": ["SentenceModel(text)", "200 rows in", "texts/s"],
    "json_lines.py": ["line 3: invalid literal", "by_country/country=GB/part-", '"name":"Zoe","paid":true'],
}
SERVED = {"aiohttp_service.py", "streaming_response.py"}


def test_every_example_is_run_by_a_test():
    assert {path.name for path in EXAMPLES.glob("*.py")} == SAYS.keys() | SERVED


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
    assert len(text.splitlines()) <= 70
    assert (ast.get_docstring(ast.parse(text)) or "").splitlines()[0].endswith((".", ","))


def test_the_vectors_of_the_model_have_length_1_and_are_those_of_all_minilm_l6_v2():
    model = runpy.run_path(str(EXAMPLES / "sentence_embeddings.py"))["SentenceModel"]()
    texts = ["That is a happy person", "That is a very happy person", "That is a happy dog", "Today is a sunny day"]
    longer = [" ".join([text, *["and so on"] * 200]) for text in texts]
    found = model(pa.array([*texts, *longer, None])).flatten().to_numpy().reshape(-1, 384)
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert np.allclose(found[0] @ found[1:4].T, [0.943, 0.695, 0.257], atol=0.01)  # as the model's page has them
