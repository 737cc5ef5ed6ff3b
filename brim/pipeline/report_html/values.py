"""Values: the numbers behind the plots, for the script that shows them under the pointer. Data, never code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from brim.pipeline.report_html.elements import Markup
from brim.pipeline.report_html.frame import LEFT, RIGHT, WIDTH, Frame
from brim.pipeline.report_html.lanes import NAME_MAX, doing_of, rates_of
from brim.pipeline.report_html.memory_plot import memory_values
from brim.pipeline.report_html.names import edge_names

if TYPE_CHECKING:
    from brim.pipeline.report import Report

_NOT_IN_HTML = str.maketrans({sign: f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"})


def values(report: Report, frame: Frame) -> Markup:
    """A block of JSON that no text can end early."""
    operators, samples = report.operators, report.history
    plots: dict[str, Any] = {
        "memory": _plot("size", memory_values(samples)),
        "waits": _plot("words", [(o.id, "", doing_of(samples, i)) for i, o in enumerate(operators)]),
        "rates": _plot("rate", [(o.id, "", _rounded(rates_of(frame, operators, i))) for i, o in enumerate(operators)]),
        "queues": _plot("size", [(name[1], "", [sample.queue_bytes[i] for sample in samples])
                                 for i, name in enumerate(edge_names(operators, NAME_MAX))]),
    }  # fmt: skip
    seconds = [round(sample.seconds, 3) for sample in samples]
    data = {"width": WIDTH, "left": LEFT, "right": RIGHT, "seconds": seconds, "plots": plots}
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    return Markup(f'<script type="application/json" id="values">{text.translate(_NOT_IN_HTML)}</script>')


def _plot(unit: str, series: list[tuple[str, str, list[Any]]]) -> dict[str, Any]:
    return {"unit": unit, "series": series}


def _rounded(rates: list[float]) -> list[float]:
    return [round(rate, 2) if rate < 100 else round(rate) for rate in rates]  # noqa: PLR2004 - three digits
