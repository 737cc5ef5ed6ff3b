"""From what was declared to what will run: one case a node, nothing clever in a case."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, assert_never

from brim.errors import PlanError
from brim.io.dead_letters import DeadLetterFolder
from brim.io.source import Source
from brim.limits import Limits
from brim.operators.aggregate import folds
from brim.operators.concat import Concat as ConcatOperator
from brim.operators.decompress import Decompress, DecompressColumn
from brim.operators.downloads.download import Download, DownloadColumn
from brim.operators.exchange.by_range import SortKeys
from brim.operators.explode import Explode as ExplodeKernel
from brim.operators.expressions.tree import Tree, describe
from brim.operators.filter import Filter as FilterKernel
from brim.operators.group_all import GroupAll
from brim.operators.group_by import GroupBy as GroupByOperator
from brim.operators.images.map_images import MapImages
from brim.operators.images.steps import ImageSteps
from brim.operators.into_batches import IntoBatches as IntoBatchesKernel
from brim.operators.joins.join import Join as JoinOperator
from brim.operators.limit import Limit as LimitKernel
from brim.operators.offset import Offset as OffsetKernel
from brim.operators.project import Project as ProjectKernel
from brim.operators.protocol import Kernel, Operator
from brim.operators.repartition import Repartition as RepartitionOperator
from brim.operators.sample import Sample as SampleKernel
from brim.operators.sort import Sort as SortOperator
from brim.operators.transform import Transform
from brim.operators.unpivot import Unpivot as UnpivotKernel
from brim.operators.user_functions.map_arrays import MapArrays
from brim.operators.user_functions.map_batches import MapBatches as MapBatchesOperator
from brim.operators.user_functions.map_rows import MapRows
from brim.operators.user_functions.user_function import UserFunction
from brim.pipeline.build_side import builds_left
from brim.pipeline.fuse import Aggregation, Fused
from brim.pipeline.materialising import Distinct, GroupBy, Join, Repartition, Sort
from brim.pipeline.nodes import (
    Aggregate,
    ApplyStep,
    Concat,
    Explode,
    Filter,
    IntoBatches,
    Limit,
    MapBatches,
    Node,
    Offset,
    Project,
    Sample,
    Scan,
    Unpivot,
    Write,
    inputs_of,
)
from brim.pipeline.plan import Stage


def lower(node: Node, limits: Limits) -> list[Stage]:
    """The stages that do what `node` says, sources first, each id once; the last stage is the root."""
    stages: list[Stage] = []
    _lower(node, limits, stages)
    return stages


def _lower(node: Node, limits: Limits, stages: list[Stage]) -> int:
    inputs = tuple(_lower(below, limits, stages) for below in inputs_of(node))
    one_shot = _iterator(node.source) if isinstance(node, Scan) and node.source.one_shot else None
    id_ = _unique(node.id, stages)
    name = node.id.partition(".")[2] if isinstance(node, ApplyStep) else node.id
    stages.append(
        Stage(
            id=id_,
            name=name.rpartition("-")[0] or name,
            detail=detail_of(node),
            operator=_joining(_operator(node, limits), node),
            inputs=inputs,
            schema=node.schema,
            nodes=(node.id,),
            one_shot=one_shot,
        )
    )
    return len(stages) - 1


def _iterator(source: Source) -> int:
    """What tells the iterator of `source` from others; rules make new sources around it."""
    return id(getattr(source, "items", source))


def _operator(node: Node, limits: Limits) -> Operator:
    match node:
        case Scan(source=source):
            return source.operator()
        case Filter(predicate=predicate):
            return _stateless(FilterKernel(predicate), inflates=False)
        case Project(expressions=expressions, schema=schema):
            return _stateless(ProjectKernel(expressions, schema))
        case ApplyStep():
            return _step(node, limits)
        case Limit(rows=rows):
            return Transform(_Open(LimitKernel, rows), inflates=False)
        case Offset(rows=rows):
            return Transform(_Open(OffsetKernel, rows), inflates=False)
        case Sample(fraction=fraction, seed=seed):
            return Transform(_Open(SampleKernel, fraction, seed), inflates=False)
        case IntoBatches(rows=rows):
            return Transform(_Open(IntoBatchesKernel, rows), inflates=False)
        case Explode(columns=columns):
            return _stateless(ExplodeKernel(columns))
        case Unpivot(on=on, index=index, variable_name=variable, value_name=value):
            return _stateless(UnpivotKernel(on, index, variable, value))
        case Aggregate(expressions=expressions, input=below):
            if folds(expressions):
                return Transform(Fused((), Aggregation(expressions, below.schema)), stateless=True, makes_pieces=False)
            return GroupAll(expressions, below.schema)
        case Sort(by=by, descending=descending, nulls_first=nulls_first, limit=limit, schema=schema):
            return SortOperator(SortKeys(by, descending, nulls_first), schema, limit)
        case GroupBy() | Distinct():
            return GroupByOperator(node.group)
        case Repartition(parts=parts, by=by, schema=schema):
            return RepartitionOperator(parts, by, schema)
        case Join(left=left, right=right):
            return JoinOperator(node.spec, left.schema, right.schema, builds_left(node))
        case MapBatches(function=function, schema=schema):
            return MapBatchesOperator(function, schema, _dead_letters(function))
        case Concat():
            return ConcatOperator()
        case Write(sink=sink, input=below):
            return sink.operator(below.schema)
        case _:
            assert_never(node)


def _joining(operator: Operator, node: Node) -> Operator:
    """`operator`, which joins small batches unless the user asked for small ones somewhere below."""
    if isinstance(operator, Transform) and _wants_small(node):
        return replace(operator, joins=False)
    return operator


def _wants_small(node: Node) -> bool:
    return isinstance(node, IntoBatches) or any(map(_wants_small, inputs_of(node)))


def _step(node: ApplyStep, limits: Limits) -> Operator:
    """The operator of a step; only these wait, call Python or inflate."""
    match node.step:
        case Download() as download:
            most = min(download.max_connections, limits.max_connections)
            return DownloadColumn(download, node.arguments[0], node.output, most, node.schema)
        case ImageSteps() as steps:
            return _stateless(MapImages(steps, node.arguments[0], node.output, node.schema))
        case Decompress(codec=codec, max_bytes=max_bytes):
            return _stateless(DecompressColumn(codec, node.arguments[0], node.output, max_bytes, node.schema))
        case UserFunction(kind="row") as function:
            return MapRows(function, node.arguments, node.output, node.schema, _dead_letters(function))
        case UserFunction() as function:
            return MapArrays(function, node.arguments, node.output, node.schema, _dead_letters(function))
        case _:
            raise PlanError(f"{node.id}: no operator is known for {node.step!r}")


class _Open:
    """Makes a kernel with state, anew for each run."""

    def __init__(self, kernel: type[Any], *arguments: Any) -> None:
        self.kernel = kernel
        self.arguments = arguments

    def __call__(self) -> Kernel:
        made: Kernel = self.kernel(*self.arguments)
        return made


def _stateless(kernel: Kernel, *, inflates: bool = True) -> Transform:
    return Transform(Fused((kernel,)), stateless=True, keeps=False, inflates=inflates)


def _dead_letters(function: UserFunction) -> DeadLetterFolder | None:
    return None if function.dead_letter is None else DeadLetterFolder(function.dead_letter)


def _unique(id_: str, stages: list[Stage]) -> str:
    """`id_`, with a number where the same node is planned again."""
    taken = {stage.id for stage in stages}
    number, unique = 1, id_
    while unique in taken:
        number += 1
        unique = f"{id_}#{number}"
    return unique


def detail_of(node: Node) -> str:
    """The arguments of `node`, for people."""
    match node:
        case Scan(source=source):
            return f"{source.place} → {_names(tuple(source.schema.names))}"
        case Filter(predicate=predicate):
            return describe(predicate)
        case Project(expressions=expressions) | Aggregate(expressions=expressions):
            return ", ".join(_named(name, tree) for name, tree in expressions)
        case ApplyStep(step=step, arguments=arguments, output=output):
            return f"{output} = {step.name}({', '.join(arguments)})"
        case Limit(rows=rows) | Offset(rows=rows) | IntoBatches(rows=rows):
            return f"{rows:,} rows"
        case Sample(fraction=fraction, seed=seed):
            return f"{fraction:.3%} of the rows, seed {seed}"
        case Explode(columns=columns):
            return _names(columns)
        case Unpivot(on=on, index=index):
            return f"{_names(on)} beside {_names(index)}"
        case GroupBy(keys=keys, expressions=expressions):
            made = ", ".join(_named(name, tree) for name, tree in expressions)
            return f"by {', '.join(_named(name, tree) for name, tree in keys)}: {made}"
        case Distinct():
            return _names(tuple(node.schema.names))
        case Repartition(parts=parts, by=by):
            return f"{parts:,} parts" + (f" by {_names(by)}" if by else "")
        case Sort():
            return _sort_detail(node)
        case Join():
            return _join_detail(node)
        case MapBatches(function=function):
            return function.name
        case Concat(inputs=inputs):
            return f"{len(inputs)} inputs"
        case Write(sink=sink):
            return sink.place
        case _:
            assert_never(node)


def _sort_detail(node: Sort) -> str:
    keys = ", ".join(f"{name} ↓" if down else name for name, down in zip(node.by, node.descending, strict=True))
    nulls = ", nulls first" if node.nulls_first else ""
    return f"{keys}{nulls}" + ("" if node.limit is None else f", the first {node.limit:,} rows")


def _join_detail(node: Join) -> str:
    keys = zip(node.keys.left, node.keys.right, strict=True)
    on = ", ".join(mine if mine == theirs else f"{mine} = {theirs}" for mine, theirs in keys)
    builds = "left" if builds_left(node) else "right"
    return f"{node.how}{f' on {on}' if on else ''}, the {builds} side is built"


def _named(name: str, tree: Tree) -> str:
    text = describe(tree)
    return name if text == f'col("{name}")' else f"{name} = {text}"


def _names(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:6])
    return shown if len(names) <= 6 else f"{shown}, … {len(names)} columns"  # noqa: PLR2004 - a line of explain
