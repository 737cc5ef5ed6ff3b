"""Analyzed: what was declared, what was planned and what happened, side by side, a block a stage. Text for people."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from brim.pipeline.expected_rows import expected_rows
from brim.pipeline.lower import detail_of
from brim.pipeline.nodes import Node, inputs_of
from brim.pipeline.plan import Plan, Stage
from brim.pipeline.report import SHOWN, OperatorReport, Report, shown
from brim.sizes import format_size

DECLARED, PLANNED = 44, 50
HEADS = (*SHOWN, "queue peak")
NEVER = "did not run"


def analyzed(planned: Plan, report: Report) -> list[str]:
    """The blocks of all stages of `planned` beside the `report` of a run, then memory, then what held it up.

    A stage is told by its id; one that the report does not know has not run, and one that it knows alone is said too.
    """
    happened = {operator.id: operator for operator in report.operators}
    table = _table([happened[stage.id] for stage in planned.stages if stage.id in happened])
    lines = [_line("declared", "planned", "what happened"), _line("", "", table.pop(HEADS[0]))]
    for stage, left in zip(planned.stages, _declared_by_stage(planned), strict=True):
        middle = [f"{stage.id}: {stage.detail}", _planned(planned, stage)]
        right = [table.get(stage.id, NEVER)]
        lines.extend(_line(*parts) for parts in zip_longest(left, middle, right, fillvalue=""))
    known = {stage.id for stage in planned.stages}
    others = [operator.id for operator in report.operators if operator.id not in known]
    unknown = [f"ran, but is not in this plan: {', '.join(others)}"] if others else []
    return [*lines, *unknown, "", *_memory(planned, report), "", *_why(report)]


def _declared_by_stage(planned: Plan) -> list[list[str]]:
    """Lines of declared nodes, at the first stage that does their work; where none does, at the next node's."""
    nodes = _nodes(planned.declared)
    lines: list[list[str]] = [[] for _ in planned.stages]
    place = len(planned.stages) - 1
    for index in reversed(range(len(nodes))):
        node = nodes[index]
        same = [other for other, one in enumerate(nodes) if one.id == node.id]
        stages = [i for i, stage in enumerate(planned.stages) if _does(stage, node)]
        if stages:  # what stands twice in the tree is planned twice, in the same order
            place = stages[same.index(index) * len(stages) // len(same)]
        lines[place].insert(0, f"{node.id}: {detail_of(node)}")
    return lines


def _nodes(node: Node) -> list[Node]:
    """All nodes, sources first, as often as they stand in the tree."""
    return [*(part for below in inputs_of(node) for part in _nodes(below)), node]


def _does(stage: Stage, node: Node) -> bool:
    """Whether `stage` does work of `node`: a step that was split off is called after it (`with_columns-3.embed`)."""
    return any(id_ == node.id or id_.startswith(f"{node.id}.") for id_ in stage.nodes)


def _planned(planned: Plan, stage: Stage) -> str:
    floor = planned.allotment.stage_floors[planned.stages.index(stage)]
    rows = expected_rows(planned.declared).get(stage.nodes[-1]) if stage.nodes else None
    return f"  holds {format_size(floor)}" + ("" if rows is None else f", {rows:,} rows expected")


def _table(operators: Sequence[OperatorReport]) -> dict[str, str]:
    """A line for each operator by its id, and one of heads by the first of these, in columns of one width."""
    rows = {
        HEADS[0]: HEADS,
        **{operator.id: (*shown(operator), format_size(operator.queue_peak_bytes)) for operator in operators},
    }
    widths = [max(len(cells[column]) for cells in rows.values()) for column in range(len(HEADS))]
    return {
        id_: "  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
        for id_, cells in rows.items()
    }


def _memory(planned: Plan, report: Report) -> list[str]:
    shares = planned.allotment
    rows = [
        ("memory", "planned", "happened"),
        ("process tree", format_size(shares.given), f"grew by {format_size(report.peak_process_bytes)} at most"),
        ("ledger", format_size(shares.ledger), f"gave out {format_size(report.peak_bytes)} at most"),
        ("  floors", format_size(shares.floors), ""),
        ("  pool", format_size(shares.pool), ""),
        ("spill folder", "", f"took {format_size(report.spilled_bytes)}"),
    ]
    return [f"{name:<14}{size:>12}  {note}".rstrip() for name, size, note in rows]


def _why(report: Report) -> list[str]:
    rate = report.rows / report.seconds if report.seconds else 0.0
    return [f"{report.rows:,} rows in {report.seconds:.2f} s ({rate:,.0f} rows/s)", *report.why()]


def _line(left: str, middle: str, right: str) -> str:
    return f"{_clip(left, DECLARED):<{DECLARED}}  {_clip(middle, PLANNED):<{PLANNED}}  {right}".rstrip()


def _clip(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
