"""Page: the report put together, one file without a network.

Its text can be anything: it is escaped, and a policy in the head lets nothing run or load but the one style and the one
script that are in the page.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from html import escape
from typing import TYPE_CHECKING

from brim.pipeline.report_html.elements import Child, Markup, joined, tag
from brim.pipeline.report_html.frame import Frame
from brim.pipeline.report_html.lanes import queues_plot, rates_plot, waits_plot
from brim.pipeline.report_html.memory_plot import memory_plot
from brim.pipeline.report_html.operator_table import operator_table
from brim.pipeline.report_html.plan_graph import plan_graph
from brim.pipeline.report_html.script import SCRIPT
from brim.pipeline.report_html.style import STYLE
from brim.pipeline.report_html.summary import summary
from brim.pipeline.report_html.values import values

if TYPE_CHECKING:
    from brim.pipeline.report import Report

NOTEBOOK_HEIGHT = 760


def page(report: Report) -> str:
    """The whole page."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy()),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", "brim: report of a run"),
        tag("style", STYLE),
    )
    frame = Frame(report.history) if _has_times(report) else None
    script = [values(report, frame), tag("script", SCRIPT)] if frame else []
    body = tag("body", tag("main", _parts(report, frame)), tag("div", id="readout", hidden=""), script)
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def notebook(report: Report) -> str:
    """The page in a frame of its own, so that neither styles nor scripts meet those of a notebook."""
    attributes = f'sandbox="allow-scripts" width="100%" height="{NOTEBOOK_HEIGHT}" frameborder="0"'
    return f'<iframe title="report of a run" {attributes} srcdoc="{escape(page(report))}"></iframe>'


def policy() -> str:
    """Only what is in the page, told by its hash."""
    return (
        f"default-src 'none'; style-src {_hash(STYLE)}; script-src {_hash(SCRIPT)}; base-uri 'none'; form-action 'none'"
    )


def _has_times(report: Report) -> bool:
    return bool(report.operators and report.history and report.history[-1].seconds > 0)


def _parts(report: Report, frame: Frame | None) -> Markup:
    parts = [tag("header", tag("h1", "Report of a run"), tag("span", "brim", class_="mark")), summary(report)]
    if report.operators:
        parts.append(_card("The plan", "", plan_graph(report)))
        parts.append(
            _card("Operators", "The parts of a bar add up to the life of the operator.", operator_table(report))
        )
    if frame is not None:
        parts.extend(_over_time(report, frame))
    if report.errors:
        errors = tag("ul", (tag("li", text) for text in report.errors), class_="errors")
        parts.append(_card("Errors that were let pass", "One of each kind, at most twenty.", errors))
    return joined(parts)


def _over_time(report: Report, frame: Frame) -> list[Markup]:
    operators = report.operators
    memory, waits = memory_plot(frame, report.memory), waits_plot(frame, operators)
    rates, queues = rates_plot(frame, operators), queues_plot(frame, operators)
    return [
        _card("Memory", "The engine's ledger by owner, and what the process tree grew by.", memory),
        _card("Who waited for what", "A strip an operator; what is full of green was at work.", waits),
        _card("Throughput", "Rows a second, each operator on a scale of its own; beside it the most.", rates),
        _card("Queues", "What lay between two operators, all on one scale; beside it the most.", queues),
    ]


def _card(title: str, note: str, *children: Child) -> Markup:
    return tag("section", tag("h2", title), tag("p", note, class_="about") if note else None, *children)


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
