"""Explain: what was declared and what will run, side by side, and the sum of the memory. Text for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from brim.errors import BudgetTooSmall, TooFewDevices
from brim.limits import Limits
from brim.operators.materialises import Materialises
from brim.pipeline.analyzed import analyzed
from brim.pipeline.expected_rows import expected_rows
from brim.pipeline.lower import detail_of
from brim.pipeline.nodes import Node, inputs_of
from brim.pipeline.place_workers import pinnings
from brim.pipeline.plan import Plan, Stage
from brim.pipeline.planner import estimated_base, places_each, plan, worker_count
from brim.pipeline.report import Report
from brim.sizes import format_size

WIDTH = 56


def explain(node: Node, limits: Limits, report: Report | None = None) -> str:
    """The declared tree beside the planned stages, then the memory line by line; a budget that is too small says so.

    With the `report` of a run of it, what happened stands beside both.
    """
    try:
        planned = plan(node, limits, base=estimated_base)
    except (BudgetTooSmall, TooFewDevices) as error:
        return "\n".join([*_declared(node), "", f"does not fit: {error}"])
    if report is not None:
        return "\n".join(analyzed(planned, report))
    sums = [*_sum(planned, limits), "", *_gpus(planned, limits), *_floors(planned)]
    return "\n".join([*_side_by_side(planned), "", *sums])


def _side_by_side(planned: Plan) -> list[str]:
    left = ["declared", *_declared(planned.declared)]
    right = ["planned", *_stages(planned)]
    height = max(len(left), len(right))
    left += [""] * (height - len(left))
    right += [""] * (height - len(right))
    return [f"{_clip(one):<{WIDTH}}  {other}".rstrip() for one, other in zip(left, right, strict=True)]


def _declared(node: Node) -> list[str]:
    below = [line for part in inputs_of(node) for line in _declared(part)]
    return [*below, f"{node.id}: {detail_of(node)}"]


def _stages(planned: Plan) -> list[str]:
    lines, used_twice, rows = [], _used_twice(planned.declared), expected_rows(planned.declared)
    for stage in planned.stages:
        reads = ", ".join(planned.stages[i].id for i in stage.inputs)
        again = "#" in stage.id and stage.id.partition("#")[0].partition(".")[0] in used_twice
        twice = " (computed twice)" if again else ""
        holds = f" ({_held(stage, rows)})" if isinstance(stage.operator, Materialises) else ""
        lines.append(f"{stage.id}{twice}{holds}: {stage.detail}" + (f"  ← {reads}" if len(stage.inputs) > 1 else ""))
    return lines


def _held(stage: Stage, rows: Mapping[str, int | None]) -> str:
    """What a stage that materialises keeps until its input has ended, and where."""
    count = rows.get(stage.nodes[0])
    return f"holds {'all' if count is None else f'{count:,}'} rows, in memory while lent, else on disk"


def _used_twice(node: Node) -> set[str]:
    """Ids of nodes that stand more than once in the tree; two that differ may share an id."""
    places: Counter[int] = Counter()
    ids: dict[int, str] = {}
    todo = [node]
    while todo:
        current = todo.pop()
        places[id(current)] += 1
        ids[id(current)] = current.id
        todo.extend(inputs_of(current))
    return {ids[key] for key, times in places.items() if times > 1}


def _sum(planned: Plan, limits: Limits) -> list[str]:
    shares = planned.allotment
    rows = [
        ("memory", shares.given, "given"),
        ("- base", shares.base, _workers(planned, limits)),
        ("- pad", shares.pad, "fragmentation, Python objects, sockets"),
        ("= ledger", shares.ledger, ""),
        ("  floors", shares.floors, f"batches of {format_size(shares.batch_bytes)}"),
        ("  oversize", shares.oversize, "the most one row may weigh beyond a batch"),
        ("  pool", shares.pool, "at most half of it for queues and read-ahead, the rest for computing"),
    ]
    return [f"{name:<12}{format_size(size):>12}  {note}".rstrip() for name, size, note in rows]


def _workers(planned: Plan, limits: Limits) -> str:
    """How many worker processes there are, and how many there would be with more memory."""
    if not planned.workers:
        return "no worker processes"
    pinned = places_each(pinnings(planned.stages, limits), planned.places)
    most = [min(worker_count(one, limits), pinned.get(one, limits.processes)) for one in planned.workers]
    count, wanted = sum(planned.workers.values()), sum(most)
    of = f" of {wanted}, for want of memory" if count < wanted else ""
    declared = sum((function.memory or 0) * count for function, count in planned.workers.items())
    calls = f", {format_size(declared)} of it declared for calls" if declared else ""
    return f"{count} worker process{'es' if count > 1 else ''}{of}, estimated until they are measured{calls}"


def _gpus(planned: Plan, limits: Limits) -> list[str]:
    """The devices of each stage that has some, and what they add up to; nothing where none has."""
    wanted = pinnings(planned.stages, limits)
    if not wanted:
        return []
    lines, total = [], 0.0
    for one in wanted:
        places, share = planned.places[one.stage], one.function.gpus
        on = ", ".join(map(str, sorted({device for place in places for device in place})))
        total += len(places) * share
        lines.append(f"  {one.stage:<30}{f'{len(places)} x {share:g}':>12}  on {on}")
    return [f"{'gpus':<12}{f'{total:g} of {limits.gpus}':>12}", *lines, ""]


def _floors(planned: Plan) -> list[str]:
    pairs = zip(planned.stages, planned.allotment.stage_floors, strict=True)
    lines = [f"  {stage.id:<30}{format_size(floor):>12}" for stage, floor in pairs]
    edges = len(planned.stages) + 1
    unit = planned.allotment.floor_bytes
    return ["floors by stage", *lines, f"  {f'{edges} edges, a batch each':<30}{format_size(edges * unit):>12}"]


def _clip(text: str) -> str:
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…"
