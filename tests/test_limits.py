"""Limits: checked when they are made, frozen after."""

from __future__ import annotations

import dataclasses

import pytest

from brim.errors import PlanError
from brim.limits import BATCH_BYTES_MAX, BATCH_BYTES_MIN, Limits
from brim.pipeline.given_limits import limits_of
from brim.sizes import GIB, MIB


@pytest.mark.parametrize("name", ["memory", "threads", "processes", "max_connections", "max_runs"])
@pytest.mark.parametrize("value", [0, -1])
def test_a_count_is_at_least_one(name, value):
    with pytest.raises(PlanError, match=f"{name} is at least 1, not {value}"):
        Limits(**{name: value})


@pytest.mark.parametrize("value", [-1, 0.5, 2.0])
def test_an_engine_has_whole_devices(value):
    with pytest.raises(PlanError, match=f"gpus is a whole number of devices, 0 or more, not {value}"):
        Limits(gpus=value)


@pytest.mark.parametrize("value", [0, -5, 2 * GIB])
def test_a_batch_is_within_memory(value):
    with pytest.raises(PlanError, match="batch_bytes"):
        Limits(memory=GIB, batch_bytes=value)
    assert Limits(memory=GIB, batch_bytes=GIB).batch_bytes == GIB


@pytest.mark.parametrize(("name", "value"), [("egress", "none"), ("admission", "maybe"), ("egress", None)])
def test_a_word_is_one_of_those_there_are(name, value):
    with pytest.raises(PlanError, match=f'{name} is "'):
        Limits(**{name: value})


def test_limits_are_frozen_and_have_an_order_of_bounds():
    limits = Limits()
    with pytest.raises(dataclasses.FrozenInstanceError):
        limits.memory = 1
    assert BATCH_BYTES_MIN < BATCH_BYTES_MAX


def test_settings_become_limits_of_this_machine():
    limits = limits_of(memory="512MiB", batch_bytes="1MiB", threads=3, processes=5, egress="public")
    assert (limits.memory, limits.batch_bytes, limits.threads, limits.processes) == (512 * MIB, MIB, 3, 5)
    assert limits.egress == "public"
    assert limits_of().threads >= 1


@pytest.mark.parametrize("settings", [{"memory": "lots"}, {"memory": 0}, {"batch_bytes": "x"}, {"memory": "0%"}])
def test_settings_that_are_no_sizes_are_refused(settings):
    with pytest.raises(PlanError, match="size"):
        limits_of(**settings)


@pytest.mark.parametrize("name", ["threads", "processes"])
def test_no_threads_and_no_processes_are_refused(name):
    with pytest.raises(PlanError, match=f"{name} is at least 1"):
        limits_of(**{name: 0})
