"""The documentation is true: its code runs, its links lead somewhere, and what is generated is up to date.

The Python blocks of a page run in order, in one namespace, in an empty folder with a few files in it. A block marked
`<!-- from: examples/x.py -->` stands in that file, which another test runs; `<!-- not run: reason -->` says why not.
"""

from __future__ import annotations

import ast
import asyncio
import dataclasses
import doctest
import inspect
import io
import re
import sys
from collections.abc import Iterable
from contextlib import redirect_stdout
from pathlib import Path

import markdown
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import brim
from brim.demo.photo_server import photo_server

PAGES = {str(page.relative_to(markdown.ROOT)): page for page in markdown.pages()}
PHOTOS = 12


@pytest.fixture(scope="module")
def photographs():
    with photo_server(PHOTOS, 7) as server:
        yield server.urls


@pytest.fixture
def folder(tmp_path, monkeypatch, photographs):
    """An empty folder with what the pages read: `urls.parquet` and `orders.csv`."""
    monkeypatch.chdir(tmp_path)
    urls = [*photographs, f"{photographs[0]}.gone"]
    pq.write_table(
        pa.table({"id": range(len(urls)), "lang": ["en", "de", "en"] * 4 + ["en"], "url": urls}), "urls.parquet"
    )
    Path("orders.csv").write_text(
        "id,customer,country,price,count\n1,Ada,GB,12.50,2\n2,Emil,DE,3.20,10\n3,Zoe,,7.00,1\n4,Ada,GB,99.90,1\n"
    )
    return tmp_path


class Session:
    """Runs the blocks of one page in order, in one namespace. Errors show the page's own line numbers."""

    def __init__(self, page: Path) -> None:
        self.page, self.names, self.printed = page, {"__name__": "__main__"}, ""
        self.flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

    def run(self) -> None:
        with asyncio.Runner() as loop:
            for block in markdown.blocks(self.page):
                if block.mark is not None and block.mark[0] == "prints":
                    checker = doctest.OutputChecker()
                    assert checker.check_output(block.text, self.printed, self.flags), (block.line, self.printed)
                elif block.mark is None and block.language == "pycon":
                    self._converse(block)
                elif block.mark is None and block.language == "python":
                    self._execute(block, loop)

    def _execute(self, block: markdown.Block, loop: asyncio.Runner) -> None:
        text = "\n" * (block.line - 1) + block.text
        code = compile(text, self.page, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        with redirect_stdout(io.StringIO()) as out:
            if code.co_flags & inspect.CO_COROUTINE:
                loop.run(eval(code, self.names))
            else:
                exec(code, self.names)
        self.printed = out.getvalue()

    def _converse(self, block: markdown.Block) -> None:
        test = doctest.DocTestParser().get_doctest(block.text, self.names, "page", str(self.page), block.line - 1)
        runner, shown = doctest.DocTestRunner(optionflags=self.flags), io.StringIO()
        runner.run(test, out=shown.write, clear_globs=False)
        self.names.update(test.globs)
        assert not runner.failures, shown.getvalue()


@pytest.mark.parametrize(
    "name",
    [name for name, page in PAGES.items() if any(b.language in ("python", "pycon") for b in markdown.blocks(page))],
)
def test_the_code_of_every_page_runs(name, folder):
    page = PAGES[name]
    Session(page).run()
    for block in markdown.blocks(page):
        if block.mark and block.mark[0] == "from":
            assert block.text.strip() in (markdown.ROOT / block.mark[1]).read_text(), (name, block.line)


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(name):
    page = PAGES[name]
    broken = []
    for line, target in markdown.links(page):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        if not found.exists() or (anchor and anchor not in markdown.anchors(found)):
            broken.append(f"{name}:{line}: {target}")
    assert not broken


def test_every_page_can_be_reached_from_the_index():
    seen, todo = set(), [markdown.ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        todo += [
            (page.parent / target.partition("#")[0]).resolve()
            for _, target in markdown.links(page)
            if "://" not in target
        ]
    assert {page for page in PAGES.values() if "docs" in page.parts} <= seen


def test_the_function_table_is_the_one_that_would_be_generated():
    sys.path.insert(0, str(markdown.ROOT / "docs"))
    try:
        import function_table
    finally:
        sys.path.pop(0)
    assert function_table.PAGE.read_text() == function_table.page(), "run `make docs`"


def test_pages_are_short_and_have_a_title():
    for name, page in PAGES.items():
        lines = page.read_text().splitlines()
        assert lines[0].startswith("# "), name
        assert len(lines) <= 300 or name == "docs/reference/expressions.md", name


def _named(page: str, names: Iterable[str]) -> set[str]:
    """Those of `names` that `page` does not say."""
    text = (markdown.ROOT / "docs" / "reference" / page).read_text()
    return {name for name in names if not re.search(rf"\b{re.escape(name)}\b", text)}


def _public(kind: type) -> list[str]:
    return [name for name in dir(kind) if not name.startswith("_")]


def test_the_reference_names_everything_there_is():
    errors = [
        name
        for name in brim.__all__
        if isinstance(getattr(brim, name), type) and issubclass(getattr(brim, name), brim.BrimError)
    ]
    assert not _named("errors.md", errors)
    writers = [name for name in _public(brim.Pipeline) if name.startswith("write_")]
    assert not _named("pipeline.md", {name for name in _public(brim.Pipeline) if name not in ("node", *writers)})
    sources = [name for name in brim.__all__ if name.startswith(("read_", "from_"))]
    assert not _named("sources-and-sinks.md", [*sources, "range", *writers])
    settings = set(inspect.signature(brim.Engine).parameters)
    assert not _named(
        "engine.md", [*settings, *(name for name in _public(brim.Engine) if name not in ("begin", "limits", "open"))]
    )
    assert not _named("engine.md", [field.name for field in dataclasses.fields(brim.EngineStats)])
    records = (brim.Report, brim.OperatorReport, brim.Bottleneck)
    assert not _named("report.md", [field.name for record in records for field in dataclasses.fields(record)])
    options = {*inspect.signature(brim.udf).parameters, *inspect.signature(brim.row_udf).parameters} - {"function"}
    assert not _named("user-functions.md", options)


def test_the_reference_names_every_event():
    told = (markdown.ROOT / "brim" / "pipeline" / "observer.py").read_text()
    names = set(re.findall(r'"([a-z]+\.[a-z]+)"', told)) | {"stall"}
    assert {"run.start", "backpressure.stop", "worker.start", "spill.read"} <= names
    assert not _named("events.md", names)
