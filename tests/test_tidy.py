"""The house stays tidy: sizes, first lines, and what no file of the library may contain."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "brim"
FILES = sorted(PACKAGE.rglob("*.py"))

FILE_LINES, FUNCTION_LINES, CASES = 400, 60, 15
LONG_FILES = {
    "pipeline/expression.py": "one class: the methods of expressions, most of each a docstring with its doctest",
    "pipeline/builder.py": "one class: the methods of pipelines, most of each a docstring",
}
PRINTS = {
    "command_line/commands.py": "printing is what it is for",
    "pipeline/running.py": "`Pipeline.show` is asked to",
}
ENVIRONMENT = {
    "io/gpus.py": "workers are pinned to devices that their engine's process sees",
    "io/workers/spawn.py": "the environment of a worker is made at its start",
    "io/workers/template_main.py": "a forked worker is given that environment",
}
NO_OPERATOR = {"protocol": "the protocols", "apply_function": "a part", "column_calls": "a part of two operators"}
OPERATOR_FIELDS = ("Input", "Output", "Order", "Holds", "Fails")


def _name(path):
    return path.relative_to(PACKAGE).as_posix()


def _tree(path):
    return ast.parse(path.read_text())


def _dotted(node):
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def _called(path):
    return {_dotted(node.func) for node in ast.walk(_tree(path)) if isinstance(node, ast.Call)}


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_a_file_opens_with_a_line_that_says_what_it_is(path):
    title = (ast.get_docstring(_tree(path)) or "").partition("\n")[0]
    assert title, "no docstring"
    assert title[-1] in ".:," or "," in title, title
    assert len(title) <= 120


def test_files_and_functions_are_short():
    long_files = {_name(path) for path in FILES if len(path.read_text().splitlines()) > FILE_LINES}
    assert long_files == LONG_FILES.keys()
    for path in FILES:
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                doc = node.body[0] if ast.get_docstring(node, clean=False) is not None else None
                lines = node.end_lineno - node.lineno + 1 - (doc.end_lineno - doc.lineno + 1 if doc else 0)
                is_table = any(isinstance(part, ast.Match) and len(part.cases) >= CASES for part in ast.walk(node))
                assert lines <= FUNCTION_LINES or is_table, (_name(path), node.name, lines)


def _is_operator(path):
    """Whether a class of the file can be run or driven: it has `run(inboxes, outbox, stage)` or `push(batch, …)`."""
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names = [argument.arg for argument in node.args.args]
            if (node.name == "run" and names == ["self", "inboxes", "outbox", "stage"]) or names == [
                "self",
                "batch",
                "piece_bytes",
            ]:
                return True
    return False


OPERATORS = [
    path
    for folder in ("operators", "io")
    for path in sorted((PACKAGE / folder).rglob("*.py"))
    if _is_operator(path) and path.stem not in NO_OPERATOR
]


def test_operators_are_found():
    assert {"filter", "download", "map_arrays", "transform", "scan", "file_sink", "from_batches"} <= {
        path.stem for path in OPERATORS
    }


@pytest.mark.parametrize("path", OPERATORS, ids=_name)
def test_an_operator_says_what_it_takes_gives_keeps_holds_and_how_it_fails(path):
    text = ast.get_docstring(_tree(path)) or ""
    places = [text.find(f"\n{field} ") for field in OPERATOR_FIELDS]
    assert -1 not in places, dict(zip(OPERATOR_FIELDS, places, strict=True))
    assert places == sorted(places)


def test_nothing_is_printed_but_where_it_is_asked_for():
    assert {_name(path) for path in FILES if "print" in _called(path)} == PRINTS.keys()


def test_nobody_waits_with_asyncio_wait_for_or_starts_bare_tasks():
    for path in FILES:
        called = _called(path)
        assert not {"asyncio.wait_for", "asyncio.create_task", "asyncio.ensure_future", "asyncio.gather"} & called, path
        bare = {name for name in called if name.endswith("create_task")} or ".create_task(" in path.read_text()
        assert not bare or _name(path) == "pipeline/engine.py", f"{path}: the engine's root is the only bare task"


def test_nobody_reads_the_environment():
    readers = {_name(path) for path in FILES if re.search(r"\bos\.environ\b|\bgetenv\b", path.read_text())}
    assert readers == ENVIRONMENT.keys()


def test_nobody_loads_pickles_of_data():
    """`loads` is called by the worker's own program alone, on functions its engine sent."""
    loaders = {
        _name(path)
        for path in FILES
        if {"pickle.load", "pickle.loads", "cloudpickle.loads", "cloudpickle.load"} & _called(path)
    }
    assert loaders <= {"io/workers/worker_main.py"}


def test_imports_have_no_side_effects():
    """At its top level a module imports, defines and names; it calls nothing for what the call does."""
    for path in FILES:
        for node in _tree(path).body:
            is_call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
            is_call = is_call and "expressions/functions/" not in _name(path)  # entries of the function table
            assert not is_call, (_name(path), node.lineno)


def test_tests_are_where_their_files_are():
    """`tests/io/test_x.py` is about `brim/io/x.py`, or about something that several files there do together."""
    for path in (ROOT / "tests").rglob("test_*.py"):
        folder = path.parent.relative_to(ROOT / "tests")
        assert (PACKAGE / folder).is_dir() or folder.name in ("bad_input", "benchmarks"), path


def test_no_file_is_called_for_everything():
    vague = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base"}
    assert not [path for path in FILES if path.stem in vague or path.parent.name in vague]


def test_the_version_is_the_projects():
    found = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert found
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert "## [Unreleased]" in changelog or f"## [{found[1]}]" in changelog


def test_nothing_names_a_machine_or_a_person():
    for path in [*FILES, *(ROOT / "examples").glob("*.py"), *(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]:
        assert not re.search(r"/home/\w|/root/|/Users/\w", Path(path).read_text()), path
