"""Lowering: a stage a node, sources first, ids unique, with what a reader must know of it."""

from __future__ import annotations

import pyarrow as pa
import pytest

import brim
from brim import col
from brim.limits import Limits
from brim.operators.concat import Concat
from brim.operators.downloads.download import DownloadColumn
from brim.operators.transform import Transform
from brim.operators.user_functions.map_arrays import MapArrays
from brim.operators.user_functions.map_batches import MapBatches
from brim.operators.user_functions.map_rows import MapRows
from brim.pipeline.lower import detail_of, lower
from brim.pipeline.planner import optimize

TABLE = pa.table({"a": [1], "b": ["x"], "l": [[1]], "url": ["http://x/y"]})
START = brim.from_arrow(TABLE)


@brim.udf(returns=pa.int64())
def array(a):
    return a


@brim.row_udf(returns=pa.int64(), on_error="null", dead_letter="letters")
def row(a):
    return a


def _stages(pipeline, **limits):
    return lower(optimize(pipeline.node), Limits(**limits))


CASES = {
    "filter": (START.filter(col("a") > 1), Transform, 'col("a") > 1'),
    "select": (START.select("a", c=col("a") + 1), Transform, 'a, c = col("a") + 1'),
    "limit": (START.into_batches(2).limit(1_000), Transform, "1,000 rows"),
    "offset": (START.offset(3), Transform, "3 rows"),
    "sample": (START.sample(0.25, seed=9), Transform, "25.000% of the rows, seed 9"),
    "into_batches": (START.into_batches(5), Transform, "5 rows"),
    "explode": (START.explode("l"), Transform, "l"),
    "unpivot": (START.unpivot(["a"], index=["b"]), Transform, "a beside b"),
    "agg": (START.agg(n=col("a").count()), Transform, 'n = col("a").count()'),
    "map_batches": (START.map_batches(array.declared.function, backend="thread"), MapBatches, "array"),
    "concat": (START.concat(START), Concat, "2 inputs"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_node_becomes_a_stage_of_its_name(name):
    pipeline, operator, detail = CASES[name]
    stage = lower(pipeline.node, Limits())[-1]
    assert stage.name == name
    assert isinstance(stage.operator, operator)
    assert stage.detail == detail == detail_of(pipeline.node)
    assert stage.schema == pipeline.schema
    assert stage.nodes == (pipeline.node.id,)


@pytest.mark.parametrize(("function", "operator"), [(array, MapArrays), (row, MapRows)])
def test_a_function_in_an_expression_becomes_a_stage_called_as_it_is(function, operator):
    stage = next(s for s in _stages(START.with_columns(made=function(col("a")))) if isinstance(s.operator, operator))
    assert stage.name == function.declared.name
    assert stage.detail == f"made = {stage.name}(a)"
    assert (stage.operator.dead_letters is not None) == (function is row)


@pytest.mark.parametrize(("asked", "given"), [(4, 4), (32, 8)])
def test_the_connections_of_a_download_are_at_most_the_engines(asked, given):
    stages = _stages(START.with_columns(body=col("url").url.download(max_connections=asked)), max_connections=8)
    operator = next(stage.operator for stage in stages if isinstance(stage.operator, DownloadColumn))
    assert operator.max_connections == given


def test_stages_come_after_what_they_read_and_ids_are_unique():
    branch = START.filter(col("a") > 0)
    stages = lower(branch.concat(branch, branch).limit(3).node, Limits())
    assert [stage.id for stage in stages] == [
        "from_arrow-1", "filter-2", "from_arrow-1#2", "filter-2#2", "from_arrow-1#3", "filter-2#3", "concat-7", "limit-8",
    ]  # fmt: skip
    assert [stage.inputs for stage in stages] == [(), (0,), (), (2,), (), (4,), (1, 3, 5), (6,)]


def test_only_what_can_be_read_once_is_marked_so():
    once = brim.from_batches(iter([]), TABLE.schema)
    again = brim.from_batches(lambda: iter([]), TABLE.schema)
    assert [stage.one_shot is not None for stage in lower(once.concat(again).node, Limits())] == [True, False, False]


def test_many_columns_are_named_shortly():
    wide = brim.from_pydict({f"c{number}": [1] for number in range(20)})
    assert lower(wide.node, Limits())[0].detail.endswith("c0, c1, c2, c3, c4, c5, … 20 columns")
