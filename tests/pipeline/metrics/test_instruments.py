"""Instruments, collected by the real SDK: names, units, kinds, and values as they stand when somebody collects."""

from __future__ import annotations

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from brim.pipeline.metrics.family import BYTES, Description, Family
from brim.pipeline.metrics.instruments import make_instruments

HELD = Description("ledger.used", "gauge", BYTES, "Memory that is lent.")
ROWS = Description("rows", "counter", "{row}", "Rows.")


def collected(reader):
    data = reader.get_metrics_data()
    return {m.name: m for part in data.resource_metrics for scope in part.scope_metrics for m in scope.metrics}


def points(metric):
    return {tuple(point.attributes.items()): point.value for point in metric.data.data_points}


def test_gauges_and_counters_are_read_when_somebody_collects():
    reader = InMemoryMetricReader()
    now = {"ledger.used": Family(HELD, {(): 5}), "rows": Family(ROWS, {(("operator", "a"),): 1})}
    make_instruments(MeterProvider([reader]).get_meter("test"), [HELD, ROWS], lambda: now)
    found = collected(reader)
    assert (found["brim.ledger.used"].unit, found["brim.ledger.used"].description) == ("By", "Memory that is lent.")
    assert points(found["brim.ledger.used"]) == {(): 5}
    assert points(found["brim.rows"]) == {(("operator", "a"),): 1}
    assert found["brim.rows"].data.is_monotonic

    now = {"rows": Family(ROWS, {(("operator", "a"),): 4, (("operator", "b"),): 2})}
    found = collected(reader)
    assert points(found["brim.rows"]) == {(("operator", "a"),): 4, (("operator", "b"),): 2}
    assert "brim.ledger.used" not in found
