"""Every stage that pins its workers has a place for one, all places fit together, and the rest is shared in turns."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import brim
from brim import col
from brim.errors import TooFewDevices
from brim.io.workers.devices import Devices
from brim.limits import Limits
from brim.pipeline.place_workers import Pinning, place_workers, placed_alone
from brim.pipeline.planner import estimated_base, optimize, plan, wanted_devices
from brim.pipeline.udf import declare
from brim.sizes import GIB


def pinning(number, share, most=4):
    return Pinning(f"stage-{number}", declare(len, "batch", gpus=share), most)


PINNINGS = st.lists(
    st.tuples(st.sampled_from([0.1, 0.25, 0.3, 0.5, 0.6, 1, 2, 3]), st.integers(1, 5)), min_size=1, max_size=5
).map(lambda drawn: [pinning(number, *each) for number, each in enumerate(drawn)])


@given(PINNINGS, st.integers(0, 4), st.lists(st.sampled_from([0.25, 0.5, 1]), max_size=3), st.randoms())
def test_what_is_placed_can_be_taken_in_any_order(wanted, count, held, random):
    devices = Devices(count)
    others = [(place, share) for share in held if (place := devices.take(share)) is not None]
    before = dict(devices.used)
    places = place_workers(wanted, devices)
    assert devices.used == before
    if places is None:
        return
    assert list(places) == [one.stage for one in wanted]
    assert all(1 <= len(places[one.stage]) <= one.most for one in wanted)
    order = [(place, one.function.gpus) for one in wanted for place in places[one.stage]]
    random.shuffle(order)
    assert all(devices.take(share, [place]) == place for place, share in order)
    for place, share in [*order, *others]:
        devices.give_back(place, share)
    assert devices.used == {}


@given(PINNINGS, st.integers(0, 4))
def test_a_plan_that_places_not_all_is_refused_with_a_number_that_is_enough(wanted, count):
    if place_workers(wanted, Devices(count)) is not None:
        return
    with pytest.raises(TooFewDevices) as refused:
        placed_alone(wanted, count)
    assert refused.value.given == count < refused.value.enough
    assert all(placed_alone(wanted, refused.value.enough).values())
    with pytest.raises(TooFewDevices):
        placed_alone(wanted, refused.value.enough - 1)


def test_functions_grow_in_turns():
    wanted = [pinning(0, 0.25, most=9), pinning(1, 0.25, most=9)]
    assert {stage: len(places) for stage, places in placed_alone(wanted, 2).items()} == {"stage-0": 4, "stage-1": 4}
    wanted = [pinning(0, 1, most=9), pinning(1, 0.5, most=1)]
    assert placed_alone(wanted, 3) == {"stage-0": ((0,), (1,)), "stage-1": ((2,),)}


def test_fractions_are_spread_where_all_still_fit():
    assert placed_alone([pinning(0, 0.5, most=2)], 2) == {"stage-0": ((0,), (1,))}
    wanted = [pinning(0, 0.5, most=2), pinning(1, 1, most=1)]
    assert placed_alone(wanted, 2) == {"stage-0": ((1,), (1,)), "stage-1": ((0,),)}
    wanted = [pinning(0, 0.25, most=2), pinning(1, 0.25, most=2)]
    assert placed_alone(wanted, 2) == {"stage-0": ((0,), (1,)), "stage-1": ((0,), (1,))}
    beside = Devices(2, {0: 0.5})
    assert place_workers([pinning(0, 0.25, most=1)], beside) == {"stage-0": ((1,),)}


@brim.udf(returns=pa.int64(), gpus=0.5)
def half(values):
    return values


@brim.udf(returns=pa.int64(), gpus=1, concurrency=1)
def whole(values):
    return values


LIMITS = {"memory": GIB, "processes": 4}


def test_a_plan_says_how_many_workers_its_devices_allow_and_where_they_sit():
    node = brim.range(10).select(a=half(col("id"))).select(b=whole(col("a"))).node
    planned = plan(node, Limits(**LIMITS, gpus=3), base=estimated_base)
    assert {function.name: count for function, count in planned.workers.items()} == {"half": 4, "whole": 1}
    assert sorted(planned.places.values(), key=len) == [((0,),), ((1,), (2,), (1,), (2,))]
    with pytest.raises(TooFewDevices, match=r"half \(gpus=0.5\), whole \(gpus=1\) run at once and take 1.5 together"):
        plan(node, Limits(**LIMITS, gpus=1), base=estimated_base)


def test_a_function_that_two_stages_use_has_a_place_in_each():
    node = brim.range(10).select(a=half(col("id"))).select(b=half(col("a"))).node
    assert len(wanted_devices(optimize(node), Limits(**LIMITS, gpus=1))) == 2
    planned = plan(node, Limits(**LIMITS, gpus=1), base=estimated_base)
    assert list(planned.places.values()) == [((0,),), ((0,),)]
    with pytest.raises(TooFewDevices):
        plan(node.input, Limits(**LIMITS, gpus=0), base=estimated_base)


def test_explain_shows_the_devices_or_what_is_missing():
    pipeline = brim.range(10).select(a=half(col("id"))).select(b=whole(col("a")))
    lines = pipeline.explain(memory="1GiB", gpus=2, processes=4).splitlines()
    at = next(number for number, line in enumerate(lines) if line.split() == ["gpus", "2", "of", "2"])
    assert [line.split()[1:] for line in lines[at + 1 : at + 3]] == [
        ["2", "x", "0.5", "on", "1"],
        ["1", "x", "1", "on", "0"],
    ]
    assert "3 worker processes, estimated" in "\n".join(lines)
    assert "does not fit: too few GPUs for half" in pipeline.explain(memory="1GiB", gpus=1)
    assert "gpus  " not in brim.range(10).explain(memory="1GiB")
