"""The page of the documentation that is made of the table."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from .table import CASES, Case, Outcome

PAGE = Path(__file__).parents[2] / "docs/reference/bad-input.md"
SHOWN = 220
GROUPS = ("Paths", "Parquet", "Arrow IPC", "JSON lines", "CSV", "Text", "URLs", "HTTP", "Egress", "Images")
GROUPS += ("Compressed", "Functions", "Expressions", "Memory", "Iterables", "Sinks")
_HEAD = """\
# Bad input

What brim says to input that is wrong, hostile or too large: each row below is run as a whole pipeline by
`tests/test_bad_input.py`, and this page is made of what came of it (anew with `cd tests; python -m bad_input`).

- What can be known before a pipeline runs is raised then, mostly on the line that declares it. What shows only while it
  runs ends the run in one `StageFailed`, which names the operator; its `__cause__` is the error of the table.
- Every error is a `BrimError` with fields, but for what the caller's own iterables raise.
- `on_error="skip"` (readers), `"null"` (downloads, images, functions) and `"drop"` (functions) let the other rows pass.
  `report.operators` counts what failed, `report.errors` says why, and events name each.
- Numbers that depend on the machine are shown as N.
"""


def page(outcome_of: Callable[[str], tuple[Outcome, str]]) -> str:
    """The whole page."""
    parts = [_HEAD]
    for group in GROUPS:
        cases = [case for case in CASES if case.group == group and not case.defect]
        lines = [f"## {group}", "", "| input | comes to | in words |", "|---|---|---|"]
        parts.append("\n".join([*lines, *(_row(case, *outcome_of(case.id)) for case in cases)]) + "\n")
    parts.append(f"The words after a place are often those of the libraries beneath, here {versions()}.\n")
    return "\n".join(parts)


def versions() -> str:
    """What the words depend on."""
    return f"pyarrow {pa.__version__.split('.')[0]} on Python 3.{sys.version_info.minor}"


def _row(case: Case, outcome: Outcome, shown: str) -> str:
    return f"| {_cell(case.name)} | {_what(outcome)} | {_words(shown)} |"


def _what(outcome: Outcome) -> str:
    if outcome.error is None:
        failed = sum(operator.errors for operator in outcome.report.operators) if outcome.report else 0
        return f"goes on, {failed} failed" if failed else "goes on"
    name = f"`{type(outcome.error).__name__}`"
    if outcome.stage is not None:
        return f"{name} while it runs"
    return f"{name} before it runs"


def _words(shown: str) -> str:
    """The first line, settled."""
    line = _settled(shown.split("\n", maxsplit=1)[0])
    line = line if len(line) <= SHOWN else f"{line[:SHOWN]}…"
    return f"`` {_cell(line)} ``" if line else ""


def _settled(text: str) -> str:
    for pattern in (
        r"(?<=needs )[\d,]+(?= bytes)",
        r"(?<=single row )[\d,]+",
        r"(?<=size of a body is )[\d,]+",
        r'(?<=memory=")\d+(?=MiB)',
        r"(?<=with )\d+(?= rows in hand)",
        r"(?<=\.py, line )\d+(?=, in )",
        r"(?<=with rows )\d+ to \d+(?= of its input in hand)",
    ):
        text = re.sub(pattern, "N", text)
    return text


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
