"""Runs reserve devices before they begin, wait for them in the order they came, and give them back however they end."""

from __future__ import annotations

import anyio
import pytest
from virtual_loop import run_virtual

from brim.errors import TooFewDevices
from brim.limits import Limits
from brim.pipeline.device_line import DeviceLine
from brim.pipeline.place_workers import Pinning
from brim.pipeline.udf import declare


def wanted(*shares, most=1):
    return [Pinning(f"stage-{number}", declare(len, "batch", gpus=share), most) for number, share in enumerate(shares)]


def line(gpus, admission="wait"):
    return DeviceLine(Limits(gpus=gpus, admission=admission))


def test_runs_that_fit_share_devices_and_the_next_waits_for_one_of_them():
    async def main():
        devices, order = line(1), []
        first, second = await devices.reserve(wanted(0.5)), await devices.reserve(wanted(0.5))

        async def come(number, share):
            held = await devices.reserve(wanted(share))
            order.append(number)
            await anyio.sleep(1)
            devices.release(held)

        async with anyio.create_task_group() as tasks:
            for number, share in enumerate((1, 0.25, 0.5)):  # the small ones fit, and wait behind the large one
                tasks.start_soon(come, number, share)
                await anyio.sleep(0.01)
            devices.release(first)
            await anyio.sleep(5)
            assert order == []
            devices.release(second)
        return order, devices.reserved.used

    assert run_virtual(main) == ([0, 1, 2], {})


def test_a_run_takes_all_that_its_functions_can_use():
    async def main():
        devices = line(2)
        held = await devices.reserve(wanted(0.5, 1, most=3))
        assert {stage: len(places) for stage, places in held.places.items()} == {"stage-0": 2, "stage-1": 1}
        assert held.of(held.wanted[1].function) == held.places["stage-1"]
        assert held.of(declare(max, "batch", gpus=1)) == ()
        devices.release(held)
        return devices.reserved.used

    assert run_virtual(main) == {}


def test_who_gives_up_waiting_reserves_nothing_and_lets_the_next_in():
    async def main():
        devices = line(1)
        first = await devices.reserve(wanted(0.5))
        with anyio.move_on_after(1) as scope:
            await devices.reserve(wanted(1))
        assert scope.cancelled_caught
        with anyio.fail_after(1):
            devices.release(await devices.reserve(wanted(0.5)))
        devices.release(first)
        return devices.reserved.used

    assert run_virtual(main) == {}


def test_what_never_fits_is_refused_at_once_and_what_does_not_fit_now_where_the_engine_says_so():
    async def main():
        devices = line(1, "refuse")
        with pytest.raises(TooFewDevices, match=r"Engine\(gpus=2\)"):
            await devices.reserve(wanted(1, 0.5))
        held = await devices.reserve(wanted(0.5))
        with pytest.raises(TooFewDevices, match="other runs have them"):
            await devices.reserve(wanted(1))
        devices.release(held)
        devices.release(await devices.reserve(wanted(1)))
        devices.release(await devices.reserve([]))
        return devices.reserved.used

    assert run_virtual(main) == {}
