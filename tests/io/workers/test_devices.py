"""GPUs are shared out exactly, and what a worker sees counts within what the engine sees."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brim.io.workers.devices import Devices
from brim.io.workers.spawn import environment


@given(st.integers(0, 4), st.lists(st.sampled_from([0.25, 0.5, 1, 2]), max_size=20), st.randoms())
def test_no_device_is_ever_given_out_twice(count, shares, random):
    devices, out = Devices(count), []
    for share in shares:
        taken = devices.take(share)
        if taken is not None:
            out.append((taken, share))
            assert len(taken) == max(1, int(share))
        elif out:
            devices.give_back(*out.pop(random.randrange(len(out))))
        for device in range(count):
            assert sum(min(share, 1) for taken, share in out if device in taken) <= 1 + 1e-6


@pytest.mark.parametrize(("count", "share", "most"), [(2, 0.5, 4), (2, 1, 2), (3, 2, 1), (0, 1, 0), (1, 0.3, 3)])
def test_the_most_workers(count, share, most):
    assert Devices(count).most(share) == most


def test_the_environment_keeps_what_the_user_has_set():
    made = environment({"OMP_NUM_THREADS": "4", "CUDA_VISIBLE_DEVICES": "2,3"}, (1,))
    assert made["OMP_NUM_THREADS"] == "4"
    assert made["MKL_NUM_THREADS"] == "1"
    assert made["CUDA_VISIBLE_DEVICES"] == "3"
    assert "CUDA_VISIBLE_DEVICES" not in environment({}, ())
