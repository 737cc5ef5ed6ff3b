"""Kinds: what sort of work a stage does, as far as it matters for what would make it quicker."""

from __future__ import annotations

from enum import StrEnum

from brim.io.from_batches import FromBatches
from brim.operators.downloads.download import DownloadColumn
from brim.operators.materialises import Materialises
from brim.operators.user_functions.user_function import UserFunction
from brim.pipeline.nodes import Write
from brim.pipeline.plan import Plan


class OperatorKind(StrEnum):
    """What a stage does; `CONSUMER` is whoever reads the run."""

    SOURCE = "source"
    ITERABLE = "iterable"
    DOWNLOAD = "download"
    PROCESS_FUNCTION = "process function"
    THREAD_FUNCTION = "thread function"
    ASYNC_FUNCTION = "async function"
    MATERIALISING = "materialising"
    COMPUTING = "computing"
    SINK = "sink"
    CONSUMER = "consumer"


FUNCTIONS = {
    "process": OperatorKind.PROCESS_FUNCTION,
    "thread": OperatorKind.THREAD_FUNCTION,
    "async": OperatorKind.ASYNC_FUNCTION,
}


def function_of(operator: object) -> UserFunction | None:
    """The user function that `operator` calls, if it calls one."""
    function = getattr(operator, "function", None)
    return function if isinstance(function, UserFunction) else None


def kind_of(plan: Plan, index: int) -> OperatorKind:
    """What stage `index` of `plan` does."""
    stage = plan.stages[index]
    operator, function = stage.operator, function_of(stage.operator)
    if function is not None:
        return FUNCTIONS[function.backend]
    if isinstance(operator, FromBatches):
        return OperatorKind.ITERABLE
    if not stage.inputs:
        return OperatorKind.SOURCE
    if isinstance(operator, DownloadColumn):
        return OperatorKind.DOWNLOAD
    if isinstance(plan.declared, Write) and index == len(plan.stages) - 1:
        return OperatorKind.SINK
    return OperatorKind.MATERIALISING if isinstance(operator, Materialises) else OperatorKind.COMPUTING
