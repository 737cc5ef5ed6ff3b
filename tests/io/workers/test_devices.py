"""GPUs are shared out exactly, and what a worker sees counts within what the engine sees."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brim.io.workers.devices import Devices, has_room, in_the_way, misplaced, names, untaken, visible
from brim.io.workers.spawn import environment

SHARES = st.sampled_from([0.1, 0.25, 0.3, 0.5, 0.7, 1, 2])


def loads(held):
    used = {}
    for place, share in held:
        for device in place:
            used[device] = used.get(device, 0) + min(share, 1)
    return used


@given(st.integers(0, 4), st.lists(SHARES, max_size=30), st.randoms())
def test_no_device_is_ever_given_out_twice(count, shares, random):
    devices, out = Devices(count), []
    for share in shares:
        taken = devices.take(share)
        if taken is not None:
            out.append((taken, share))
            assert len(set(taken)) == max(1, int(share))
            assert set(taken) <= set(range(count))
        elif out:
            devices.give_back(*out.pop(random.randrange(len(out))))
        used = loads(out)
        assert all(load <= 1 + 1e-6 for load in used.values())
        assert devices.used == pytest.approx(used)
    for place, share in out:
        devices.give_back(place, share)
    assert devices.used == {}


@given(st.integers(0, 4), SHARES, SHARES)
def test_all_places_of_a_share_can_be_taken_at_once_and_no_more(count, share, other):
    devices = Devices(count)
    places = devices.places(share)
    assert len(places) == (int(count / share) if share >= 1 else count * int(1 / share + 1e-9))
    for number in range(len(places)):
        left = untaken(places, places[:number])
        assert devices.take(share, left) in left
    assert devices.take(share) is None
    assert other < share or devices.take(other) is None


@given(st.integers(1, 4), st.lists(st.tuples(SHARES, st.booleans()), max_size=12), SHARES)
def test_idle_workers_give_way_where_that_helps_and_only_there(count, workers, share):
    devices, active, idle = Devices(count), [], []
    for each, is_idle in workers:
        if (place := devices.take(each)) is not None:
            (idle if is_idle else active).append((place, each))
    places = Devices(count).places(share)
    ends = in_the_way(devices.used, places, share, idle)
    left = loads(active + [held for index, held in enumerate(idle) if index not in ends])
    possible = any(has_room(loads(active), place, share) for place in places)
    assert any(has_room(left, place, share) for place in places) == possible
    if any(has_room(devices.used, place, share) for place in places[:1]) or not possible:
        assert ends == []


def test_those_first_in_line_end_and_no_more_than_needed():
    used, idle = {0: 1.0, 1: 1.0}, [((0,), 0.5), ((1,), 1), ((0,), 0.5)]
    assert in_the_way(used, [(0,)], 0.5, idle) == [0]
    assert in_the_way(used, [(0,)], 1, idle) == [0, 2]
    assert in_the_way(used, [(0, 1)], 2, idle) == [0, 1, 2]
    assert in_the_way(used, [(0,)], 1, idle[:2]) == []


def test_who_leaves_a_device_says_so():
    rung = []
    devices = Devices(1, freed=lambda: rung.append(devices.take(1)))
    devices.give_back(devices.take(1), 1)
    devices.give_back((), 0)
    assert rung == [(0,)]


def test_places_count_as_often_as_they_are_there():
    assert untaken([(0,), (0,), (1,)], [(0,)]) == [(0,), (1,)]
    assert misplaced([(0,), (0,), (2,)], [(0,), (1,)]) == [1, 2]


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ("0,1", ["0", "1"]),
        (" 3 , 5", ["3", "5"]),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
        ("0,2,-1,1", ["0", "2"]),
        ("1,1", []),
        ("GPU-8932f937-d72c,GPU-11", ["GPU-8932f937-d72c", "GPU-11"]),
        ("MIG-GPU-5ff7/0/0,MIG-2f", ["MIG-GPU-5ff7/0/0", "MIG-2f"]),
    ],
)
def test_what_a_process_sees_is_read_as_cuda_reads_it(value, seen):
    assert names(value) == seen
    assert visible(tuple(range(len(seen))), value) == ",".join(seen)
    assert visible((len(seen),), value) == ""


def test_the_environment_keeps_what_the_user_has_set():
    made = environment({"OMP_NUM_THREADS": "4", "CUDA_VISIBLE_DEVICES": "2,3"}, (1,))
    assert made["OMP_NUM_THREADS"] == "4"
    assert made["MKL_NUM_THREADS"] == "1"
    assert made["CUDA_VISIBLE_DEVICES"] == "3"
    assert "CUDA_VISIBLE_DEVICES" not in environment({}, ())
