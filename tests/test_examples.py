"""Every example runs as a program of its own and says what it should; a service is served in `test_embedding.py`."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
SAYS = {
    "first_program.py": ["write_parquet-6", "24 rows in", "colour", "/photos/000.jpg"],
    "queue_consumer.py": ["56 of 200 messages were warm", "'fahrenheit': 78.8"],
    "dead_letters.py": ["1,000 rows in", "2 rows in ['.parquet']", "yesterday", "day is out of range for month"],
    "call_a_service.py": ["150 rows, the last ROW 149", "calls at once", "pauses of 1."],
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
