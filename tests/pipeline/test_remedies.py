"""Remedies: there is one for every bottleneck there may be, and the settings it names exist."""

from __future__ import annotations

import inspect
import re

import pytest

import brim
from brim.events import Resource
from brim.pipeline.kinds import OperatorKind
from brim.pipeline.remedies import remedy
from brim.sizes import MIB

SETTINGS = {
    *inspect.signature(brim.Engine).parameters, *inspect.signature(brim.udf).parameters,
    *inspect.signature(brim.row_udf).parameters, *inspect.signature(brim.read_parquet).parameters,
    *inspect.signature(brim.col("x").url.download).parameters,
}  # fmt: skip


@pytest.mark.parametrize("kind", OperatorKind)
@pytest.mark.parametrize("resource", Resource)
def test_there_is_one_for_every_bottleneck_and_its_settings_exist(kind, resource):
    text = remedy(kind, resource)
    assert len(text) > 10
    assert not text.endswith(".")
    named = re.findall(r"`(\w+)=", text)
    assert set(named) <= SETTINGS
    assert text.count("`") % 2 == 0


@pytest.mark.parametrize(
    ("kind", "resource", "setting"),
    [
        (OperatorKind.DOWNLOAD, Resource.CONNECTIONS, "max_connections"),
        (OperatorKind.PROCESS_FUNCTION, Resource.CPU, "processes"),
        (OperatorKind.PROCESS_FUNCTION, Resource.WORKERS, "batch_size"),
        (OperatorKind.THREAD_FUNCTION, Resource.CPU, "backend"),
        (OperatorKind.COMPUTING, Resource.MEMORY, "memory"),
        (OperatorKind.MATERIALISING, Resource.DISK, "memory"),
        (OperatorKind.ASYNC_FUNCTION, Resource.RATE_LIMIT, "rate_limit"),
        (OperatorKind.SOURCE, Resource.CPU, "columns"),
    ],
)
def test_it_names_what_would_help(kind, resource, setting):
    assert f"`{setting}" in remedy(kind, resource)


def test_a_consumer_should_read_faster_and_a_sink_have_a_quicker_disk():
    assert remedy(OperatorKind.CONSUMER, Resource.CONSUMER).startswith("read faster")
    assert "disk" in remedy(OperatorKind.SINK, Resource.DISK)


def test_workers_are_counted_and_what_one_more_takes_is_said():
    text = remedy(OperatorKind.PROCESS_FUNCTION, Resource.WORKERS, workers=2, worker_bytes=410 * MIB)
    assert "all 2 are busy" in text
    assert "one more takes about 410.0 MiB" in text
    assert "the one is busy" in remedy(OperatorKind.PROCESS_FUNCTION, Resource.CPU, workers=1)
