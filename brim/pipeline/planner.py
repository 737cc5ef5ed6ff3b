"""The planner: rules → lower → fuse → check → allot. Pure: the same input makes the same plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import reduce

from brim.errors import BudgetTooSmall
from brim.limits import Limits
from brim.operators.user_functions.user_function import UserFunction
from brim.pipeline.allot import allot
from brim.pipeline.check import check
from brim.pipeline.fuse import fuse
from brim.pipeline.lower import lower
from brim.pipeline.nodes import ApplyStep, MapBatches, Node, inputs_of
from brim.pipeline.place_workers import Pinning, pinnings, placed_alone
from brim.pipeline.plan import Places, Plan
from brim.pipeline.rules import RULES
from brim.sizes import MIB

BaseOf = Callable[[Mapping[UserFunction, int]], int]
"""The bytes that so many worker processes of each function weigh, those of other runs included."""

WORKER_BYTES = 32 * MIB
"""What an idle worker process weighs until one was measured: Python, pyarrow, numpy and the channel."""


def no_base(workers: Mapping[UserFunction, int]) -> int:
    """No worker is there."""
    return 0 * len(workers)


def estimated_base(workers: Mapping[UserFunction, int]) -> int:
    """What workers are expected to weigh while none has been measured, with what a call was declared to take."""
    return sum((WORKER_BYTES + (function.memory or 0)) * count for function, count in workers.items())


def optimize(node: Node) -> Node:
    """`node` after all rules: the same rows and the same schema, with less work."""
    return reduce(lambda planned, rule: rule(planned), RULES, node)


def plan(
    node: Node,
    limits: Limits,
    *,
    base: BaseOf = no_base,
    runs: int = 1,
    places: Places | None = None,
    most: int | None = None,
    floors_most: int | None = None,
    batch_most: int | None = None,
    planned: Node | None = None,
) -> Plan:
    """How to run `node` within `limits`; `base` says what worker processes weigh, given how many each function gets.

    `most`, `floors_most` and `batch_most` are those of `allot`; `planned` is what `optimize` makes of `node`,
    where that is known.

    `places` are the devices that were reserved for it; where nothing was said, all of them are free.

    Where not all workers fit the plan gets fewer, down to one a function, before it is refused.

    Raises:
        BudgetTooSmall: not even the smallest batches can be moved through.
        TooFewDevices: the workers of all its stages do not find devices at once.
        PlanError: what was declared cannot run.
    """
    planned = optimize(node) if planned is None else planned
    stages = fuse(lower(planned, limits))
    check(stages)
    wanted = pinnings(stages, limits)
    places = placed_alone(wanted, limits.gpus) if places is None else places
    pinned = places_each(wanted, places)
    operators, functions = [stage.operator for stage in stages], process_functions(planned)
    for each in range(limits.processes if functions else 1, 0, -1):
        workers = {one: min(worker_count(one, limits), each, pinned.get(one, each)) for one in functions}
        taken = base(workers)
        try:
            shares = allot(
                operators,
                limits.memory,
                base=taken,
                runs=runs,
                batch_bytes=limits.batch_bytes,
                remedy=_remedy(taken, runs),
                most=most,
                floors_most=floors_most,
                batch_most=batch_most,
            )
        except BudgetTooSmall:
            if each == 1:
                raise
        else:
            return Plan(node, planned, stages, shares, workers, places)
    raise AssertionError("the last number of workers was planned or refused")


def places_each(wanted: Sequence[Pinning], places: Places) -> Counter[UserFunction]:
    """How many places each function has."""
    counts: Counter[UserFunction] = Counter()
    for pinning in wanted:
        counts[pinning.function] += len(places[pinning.stage])
    return counts


def wanted_devices(planned: Node, limits: Limits) -> list[Pinning]:
    """The stages of `planned`, after all rules, whose workers sit on devices."""
    if not any(function.gpus for function in process_functions(planned)):
        return []
    return pinnings(fuse(lower(planned, limits)), limits)


def _remedy(base: int, runs: int) -> str:
    ways = (['use backend="thread" for user functions'] if base else []) + (["a smaller max_runs"] if runs > 1 else [])
    return ", or ".join(ways)


def worker_count(function: UserFunction, limits: Limits) -> int:
    """How many worker processes `function` gets where memory allows."""
    return min(function.concurrency or limits.processes, limits.processes)


def process_functions(planned: Node) -> tuple[UserFunction, ...]:
    """The user functions of `planned`, after all rules, that run in worker processes, each once."""
    found: dict[UserFunction, None] = {}
    for function in _functions(planned):
        if function.backend == "process":
            found.setdefault(function)
    return tuple(found)


def _functions(node: Node) -> list[UserFunction]:
    below = [function for part in inputs_of(node) for function in _functions(part)]
    match node:
        case ApplyStep(step=UserFunction() as function) | MapBatches(function=function):
            return [*below, function]
        case _:
            return below
