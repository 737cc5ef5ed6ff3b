"""The page of a report: well formed whatever is in it, nothing in it runs or loads but what is ours."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
from html.parser import HTMLParser

import made_reports
import pytest
from hypothesis import given, settings

import brim
from brim import col
from brim.pipeline.report import Report
from brim.pipeline.report_html.page import notebook, page, policy
from brim.pipeline.report_html.script import SCRIPT
from brim.pipeline.report_html.style import STYLE

TAGS = {
    "html", "head", "meta", "title", "style", "body", "main", "header", "section", "h1", "h2", "p", "div", "span", "b",
    "code", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "script", "svg", "g", "rect", "text", "line", "path",
}  # fmt: skip


class Reader(HTMLParser):
    """Reads a page strictly: every element is closed where it was opened."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.attributes, self.blocks, self.words = [], set(), [], {}, []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, name, attributes):
        self.tags.add(name)
        self.attributes += attributes
        if name != "meta":
            self.open.append((name, dict(attributes)))

    def handle_endtag(self, name):
        assert self.open.pop()[0] == name

    def handle_data(self, text):
        name, attributes = self.open[-1] if self.open else ("", {})
        if name in ("script", "style"):
            key = attributes.get("id", name)
            self.blocks[key] = self.blocks.get(key, "") + text
        else:
            self.words.append(text)

    def handle_comment(self, text):
        raise AssertionError(text)


def read(report):
    return Reader(page(report))


@settings(max_examples=60, deadline=None)
@given(made_reports.reports())
def test_any_report_makes_a_page_in_which_nothing_foreign_runs_or_loads(report):
    reader = read(report)
    assert reader.tags <= TAGS
    for name, value in reader.attributes:
        assert not name.startswith("on"), (name, value)
        assert name not in ("src", "href", "style", "xlink:href", "action", "srcdoc"), (name, value)
        assert "url(" not in (value or "") or name in ("title", "aria-label")
    assert set(reader.blocks) <= {"style", "script", "values"}
    assert reader.blocks["style"] == STYLE
    if "script" in reader.blocks:
        assert reader.blocks["script"] == SCRIPT
        assert len(json.loads(reader.blocks["values"])["seconds"]) == len(report.history)
    shown = "".join(reader.words)
    for error in report.errors:
        assert error.replace("\x00", "\ufffd").replace("\r", "\n") in shown or error in shown
    for operator in report.operators:
        assert operator.id in shown or operator.id.replace("\r", "\n") in shown


@settings(max_examples=20, deadline=None)
@given(made_reports.reports())
def test_any_page_can_be_saved(report):
    assert page(report).encode("utf-8", "backslashreplace")
    assert 'sandbox="allow-scripts"' in notebook(report)
    assert Reader(notebook(report)).tags == {"iframe"}


def test_the_policy_lets_run_what_is_in_the_page_and_nothing_else():
    def hashed(text):
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    assert "default-src 'none'" in policy()
    assert f"script-src {hashed(SCRIPT)};" in policy()
    assert f"style-src {hashed(STYLE)};" in policy()
    assert "unsafe" not in policy()


def test_nothing_is_fetched_from_anywhere():
    urls = set(re.findall(r"https?://[^\s\"'<]+", STYLE + SCRIPT))
    assert urls == {"http://www.w3.org/2000/svg"}  # a name, which nobody fetches
    assert "@import" not in STYLE
    assert "url(" not in STYLE
    assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|eval|fetch|XMLHttpRequest", SCRIPT)


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Report:
    folder = tmp_path_factory.mktemp("report")
    pipeline = brim.range(400_000).filter(col("id") % 2 == 0).into_batches(1_000).write_parquet(folder / "out")
    return pipeline.run_blocking(memory="64MiB", progress=False)


def test_the_page_of_a_run_says_what_the_report_does(report, tmp_path):
    report = dataclasses.replace(report, errors=("download-2: http://x: 404",))
    report.save_html(tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert text == report.to_html()
    reader = Reader(text)
    words = " ".join(reader.words)
    assert "200,000" in words
    for operator in report.operators:
        assert operator.id in words
    assert "download-2: http://x: 404" in words
    if report.bottleneck is not None:
        assert report.bottleneck.operator in words
    values = json.loads(reader.blocks["values"])
    assert set(values["plots"]) == {"memory", "waits", "rates", "queues"}
    assert values["seconds"][-1] == pytest.approx(report.seconds, abs=2e-3)
    assert [name for name, _, _ in values["plots"]["waits"]["series"]] == [o.id for o in report.operators]
    assert len(text) < 200_000


def test_a_report_of_a_run_that_did_nothing_has_a_page_too(report):
    nothing = dataclasses.replace(report, rows=0, seconds=0.0, operators=(), history=(), bottleneck=None, chain=None)
    assert "script" not in read(nothing).blocks


def test_a_notebook_shows_the_page_in_a_frame_of_its_own(report):
    (value,) = [value for name, value in Reader(report._repr_html_()).attributes if name == "srcdoc"]
    assert value == report.to_html()
