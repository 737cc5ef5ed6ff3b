"""The planner: rules → lower → fuse → check → allot. Pure: the same input makes the same plan."""

from __future__ import annotations

from functools import reduce

from brim.limits import Limits
from brim.operators.user_functions.user_function import UserFunction
from brim.pipeline.allot import allot
from brim.pipeline.check import check
from brim.pipeline.fuse import fuse
from brim.pipeline.lower import lower
from brim.pipeline.nodes import ApplyStep, MapBatches, Node, inputs_of
from brim.pipeline.plan import Plan
from brim.pipeline.rules import RULES
from brim.sizes import MIB

WORKER_BYTES = 32 * MIB
"""What an idle worker process weighs until one was measured: Python, pyarrow, numpy and the channel."""


def optimize(node: Node) -> Node:
    """`node` after all rules: the same rows and the same schema, with less work."""
    return reduce(lambda planned, rule: rule(planned), RULES, node)


def plan(node: Node, limits: Limits, *, base: int = 0, runs: int = 1) -> Plan:
    """How to run `node` within `limits`; `base` bytes are taken by workers already.

    Raises:
        BudgetTooSmall: not even the smallest batches can be moved through.
        PlanError: what was declared cannot run.
    """
    planned = optimize(node)
    stages = fuse(lower(planned, limits))
    check(stages)
    operators = [stage.operator for stage in stages]
    ways = (['use backend="thread" for user functions'] if base else []) + (["a smaller max_runs"] if runs > 1 else [])
    remedy = ", or ".join(ways)
    shares = allot(operators, limits.memory, base=base, runs=runs, batch_bytes=limits.batch_bytes, remedy=remedy)
    return Plan(node, planned, stages, shares)


def worker_base(node: Node, limits: Limits) -> int:
    """What the worker processes of `node` are expected to weigh while none of them has been measured."""
    return sum(WORKER_BYTES * worker_count(function, limits) for function in process_functions(node))


def worker_count(function: UserFunction, limits: Limits) -> int:
    """How many worker processes `function` gets."""
    return min(function.concurrency or limits.processes, limits.processes)


def process_functions(node: Node) -> tuple[UserFunction, ...]:
    """The user functions of `node` that run in worker processes, each once."""
    found: dict[UserFunction, None] = {}
    for function in _functions(optimize(node)):
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
