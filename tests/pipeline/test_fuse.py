"""Fusing: cheap neighbours become one stage, and nothing else changes."""

from __future__ import annotations

import gzip

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline import run_inline

import brim
from brim import col
from brim.errors import RowTooLarge
from brim.limits import Limits
from brim.pipeline.fuse import Fused, fuse
from brim.pipeline.lower import lower
from brim.pipeline.planner import optimize
from brim.sizes import KIB, MIB

STEPS = {
    "filter": lambda p: p.filter(col("id") % 3 != 0),
    "project": lambda p: p.with_columns(id=col("id") + 1),
    "limit": lambda p: p.limit(20),
    "explode": lambda p: p.with_columns(l=col("id")).map_batches(_listed, schema=LISTED, backend="thread").explode("l").select("id"),
    "batches": lambda p: p.into_batches(4),
}  # fmt: skip
LISTED = pa.schema({"id": pa.int64(), "l": pa.list_(pa.int64())})


def _listed(batch):
    lists = pa.array([[number] * (number % 3) for number in batch["id"].to_pylist()], pa.list_(pa.int64()))
    return pa.record_batch([batch["id"], lists], schema=LISTED)


def _stages(pipeline):
    return tuple(lower(pipeline.node, Limits()))


def _drawn(names):
    pipeline = brim.range(60)
    for name in names:
        pipeline = STEPS[name](pipeline)
    return pipeline


def test_neighbouring_filters_and_projections_are_one_stage_that_keeps_all_names():
    stages = fuse(_stages(_drawn(["filter", "project", "filter", "limit", "project"])))
    assert [stage.id for stage in stages] == ["range-1", "filter-2", "limit-5", "with_columns-6"]
    fused = stages[1]
    assert fused.nodes == ("filter-2", "with_columns-3", "filter-4")
    assert fused.name == "filter+with_columns+filter"
    assert fused.detail.count("→") == 2
    assert isinstance(fused.operator.open_kernel, Fused)
    assert len(fused.operator.open_kernel.kernels) == 3
    assert stages[2].inputs == (1,)


def test_what_reads_two_stages_or_is_slow_stays_by_itself():
    left, right = brim.range(5).filter(col("id") > 1), brim.range(5).filter(col("id") > 2)
    stages = fuse(_stages(left.concat(right).filter(col("id") > 3).into_batches(2).filter(col("id") > 0)))
    assert [stage.name for stage in stages] == ["range", "filter", "range", "filter", "concat", "filter", "into_batches", "filter"]  # fmt: skip
    assert [stage.inputs for stage in stages] == [(), (0,), (), (2,), (1, 3), (4,), (5,), (6,)]


@given(st.lists(st.sampled_from([name for name in STEPS if name != "explode"]), max_size=8), st.integers(0, 2))
def test_every_node_is_done_once_in_its_order_and_stages_read_those_before_them(names, branches):
    pipeline = _drawn(names)
    for _ in range(branches):
        pipeline = pipeline.concat(_drawn(names[:3])).filter(col("id") > 0)
    before = _stages(pipeline)
    after = fuse(before)
    assert [node for stage in after for node in stage.nodes] == [node for stage in before for node in stage.nodes]
    assert all(read < place for place, stage in enumerate(after) for read in stage.inputs)
    assert after[-1].schema == before[-1].schema
    readers = [read for stage in after for read in stage.inputs]
    assert sorted(readers) == list(range(len(after) - 1)), "every stage but the last is read by one"
    assert fuse(after) == after, "there is nothing left to join"


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["filter", "project", "limit", "batches"]), max_size=6))
def test_fused_stages_make_the_same_rows(names):
    node = _drawn(names).node
    assert run_inline(node, fused=True).equals(run_inline(node, fused=False))


TEXTS = [{"id": number, "text": "word and word " * 3000 * (number % 3)} for number in range(6)]


def test_texts_that_are_split_and_exploded_pass_in_parts_and_the_words_are_the_same():
    pipeline = brim.from_pylist(TEXTS).with_columns(w=col("text").str.split(" ")).select("id", "w").explode("w")
    node = optimize(pipeline.filter(col("w") != "and").node)
    (stage,) = [stage for stage in fuse(lower(node, Limits())) if "explode" in stage.name]
    assert [type(kernel).__name__ for kernel in stage.operator.open_kernel().kernels] == [
        "TextParts",
        "Project",
        "Explode",
        "Filter",
    ]
    expected = [{"id": row["id"], "w": word} for row in TEXTS for word in row["text"].split(" ") if word != "and"]
    assert run_inline(node, batch_bytes=16 * KIB).to_pylist() == expected


def test_texts_that_somebody_else_reads_are_not_cut():
    read = brim.from_pylist(TEXTS).select(w=col("text").str.split(" "), n=col("text").str.len_chars()).explode("w")
    stage = fuse(_stages(read))[-1]
    assert [type(kernel).__name__ for kernel in stage.operator.open_kernel().kernels] == ["Project", "Explode"]


PACKED = pa.table({"id": range(20), "body": [gzip.compress(b"x" * (number * 40_000)) for number in range(20)]})
UNPACKED = col("body").bin.decompress("gzip")


def _fused_names(pipeline):
    return [stage.name for stage in fuse(lower(optimize(pipeline.node), Limits()))][1:]


def test_what_keeps_but_numbers_of_large_values_runs_where_they_are_unpacked():
    read = brim.from_arrow(PACKED)
    sizes = read.select("id", size=UNPACKED.bin.size())
    assert _fused_names(sizes) == ["decompress.gzip+select"]
    assert _fused_names(sizes.filter(col("size") > 1)) == ["decompress.gzip+select+filter"]
    assert _fused_names(sizes.agg(col("size").sum())) == ["decompress.gzip+select+agg"]
    assert _fused_names(read.agg(n=UNPACKED.bin.size().sum())) == ["decompress.gzip+agg"]


def test_what_keeps_large_values_stays_by_itself():
    read = brim.from_arrow(PACKED)
    assert _fused_names(read.select("id", value=UNPACKED)) == ["decompress.gzip"]
    assert _fused_names(read.select("id", text=UNPACKED.cast(pa.string()))) == ["decompress.gzip", "select"]
    assert _fused_names(read.select("id", UNPACKED.alias("a"), size=UNPACKED.bin.size())) == ["decompress.gzip", "select"]  # fmt: skip


def test_unpacked_values_whose_sizes_are_kept_give_the_same_rows():
    sizes = brim.from_arrow(PACKED).select("id", size=UNPACKED.bin.size()).filter(col("size") > 40_000)
    expected = [{"id": number, "size": 40_000 * number} for number in range(2, 20)]
    assert run_inline(optimize(sizes.node), batch_bytes=64 * KIB).to_pylist() == expected
    total = optimize(sizes.agg(col("size").sum(), n=col("id").count()).node)
    assert run_inline(total, batch_bytes=64 * KIB).to_pylist() == [{"size": 40_000 * sum(range(2, 20)), "n": 18}]


def test_a_chain_that_unpacks_foresees_what_unpacking_takes():
    (stage,) = fuse(lower(optimize(brim.from_arrow(PACKED).select(n=UNPACKED.bin.size()).node), Limits()))[1:]
    kernel = stage.operator.open_kernel()
    batch = PACKED.to_batches()[0].select(["body"])
    held = kernel.foresee(batch).held_bytes(MIB)
    assert MIB <= held - kernel.head.foresee(batch).work_bytes < MIB + batch.nbytes + 32 * batch.num_rows


def test_a_row_that_may_not_be_unpacked_is_refused_in_a_chain_too():
    (stage,) = fuse(lower(optimize(brim.from_arrow(PACKED).select(n=UNPACKED.bin.size()).node), Limits()))[1:]
    kernel = stage.operator.open_kernel().within(MIB + 100 * KIB)
    with pytest.raises(RowTooLarge, match="body, row 3 of its batch"):
        list(kernel.push(PACKED.to_batches()[0].select(["body"]), MIB))


def test_aggregates_run_in_the_stage_before_them_and_see_all_rows():
    words = brim.from_pylist(TEXTS).select(w=col("text").str.split(" ")).explode("w").filter(col("w") != "")
    counted = words.agg(n=col("w").count(), first=col("w").first(), top=col("w").max())
    assert _fused_names(counted) == ["select+explode+filter+agg"]
    expected = [{"n": 6 * 3000 * 3, "first": "word", "top": "word"}]
    assert run_inline(optimize(counted.node), batch_bytes=16 * KIB).to_pylist() == expected
    assert _fused_names(words.agg(col("w").count_distinct())) == ["select+explode+filter", "agg"]


def test_a_chain_is_asked_for_a_rest_only_where_it_ends_in_an_aggregate():
    words = brim.from_pydict({"n": [1, 2]})
    for pipeline, keeps in (
        (words.filter(col("n") > 1).with_columns(m=col("n") + 1), False),
        (words.filter(col("n") > 1).agg(n=col("n").sum()), True),
    ):
        (stage,) = fuse(lower(optimize(pipeline.node), Limits()))[1:]
        assert stage.operator.keeps is keeps
