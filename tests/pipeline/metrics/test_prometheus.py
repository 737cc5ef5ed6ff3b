"""The whole text of a real engine, read by Prometheus' own client."""

from __future__ import annotations

import anyio
from prometheus_client.parser import text_string_to_metric_families
from snapshots import engine, run, stage

import brim
from brim import col
from brim.pipeline.metrics.prometheus import prometheus_text
from brim.pipeline.metrics.totals import Totals


def read_back(text):
    """Values by name of the sample, then by labels."""
    found = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def test_an_engine_tells_its_runs_while_they_go_on_and_what_they_came_to(tmp_path):
    totals, texts = Totals(), []

    async def main():
        async with brim.Engine(memory="256MiB", spill_dir=tmp_path, on_event=totals.on_event) as opened:
            async with opened.stream(brim.range(3_000_000).filter(col("id") >= 0)) as batches:
                await anext(batches)
                texts.append(prometheus_text(opened.stats(), totals))
                assert sum([batch.num_rows async for batch in batches]) < 3_000_000
            texts.append(prometheus_text(opened.stats(), totals))

    anyio.run(main)
    during, after = map(read_back, texts)
    assert during["brim_memory_limit_bytes"] == after["brim_memory_limit_bytes"] == {(): 256 << 20}
    assert during["brim_active_runs"] == {(): 1}
    assert during["brim_ledger_used_bytes"][()] > 0
    sent = during["brim_stage_output_rows_total"]
    assert {(dict(labels)["operator"], dict(labels)["operator_id"]) for labels in sent} == {
        ("range", "range-1"), ("filter", "filter-2"),
    }  # fmt: skip
    assert all(rows > 0 for rows in sent.values())
    assert len(during["brim_stage_time_seconds_total"]) == 2 * 5
    assert after["brim_active_runs"] == {(): 0}
    assert not [name for name in after if name.startswith("brim_stage")]
    assert after["brim_runs_total"] == {(("outcome", "ok"),): 1}
    assert after["brim_rows_total"] == {(): 3_000_000}


def test_every_name_stands_once_and_every_counter_says_so():
    text = prometheus_text(engine(run(stage()), run(stage())), Totals())
    heads = [line.split()[2:] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len({name for name, _ in heads}) == len(heads)
    assert {name.endswith("_total") for name, kind in heads if kind == "counter"} == {True}
    assert {name.endswith("_total") for name, kind in heads if kind == "gauge"} == {False}
    assert "brim_runs_total" not in prometheus_text(engine(run(stage())))
