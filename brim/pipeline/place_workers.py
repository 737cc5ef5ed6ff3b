"""Place workers: which devices the workers of each stage of a plan sit on. Pure.

All stages of a run are under way at once, so each that pins its workers has a place for one before any has a second.
First come those with the largest shares, where each finds its first fit; then in turns one more each while it fits.
How many there are is settled then, and they are spread: fractions go where least is used, if all still fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from brim.errors import TooFewDevices
from brim.io.workers.devices import Devices, Place
from brim.limits import Limits
from brim.operators.user_functions.map_arrays import MapArrays
from brim.operators.user_functions.map_batches import MapBatches
from brim.operators.user_functions.map_rows import MapRows
from brim.operators.user_functions.user_function import UserFunction
from brim.pipeline.plan import Places, Stage


@dataclass(frozen=True, slots=True)
class Pinning:
    """A stage whose function wants devices: its id, the function, and the most workers it can use."""

    stage: str
    function: UserFunction
    most: int


def pinnings(stages: Sequence[Stage], limits: Limits) -> list[Pinning]:
    """The stages whose workers sit on devices."""
    found = []
    for stage in stages:
        match stage.operator:
            case MapArrays(function=function) | MapRows(function=function) | MapBatches(function=function):
                if function.gpus:
                    most = min(function.concurrency or limits.processes, limits.processes)
                    found.append(Pinning(stage.id, function, most))
            case _:
                pass
    return found


def place_workers(wanted: Sequence[Pinning], devices: Devices) -> Places | None:
    """Places for at least one worker of each of `wanted` beside what is used of `devices`; None where it cannot be."""
    scratch = Devices(devices.count, dict(devices.used))
    places: dict[str, list[Place]] = {pinning.stage: [] for pinning in wanted}
    for pinning in sorted(wanted, key=lambda pinning: -pinning.function.gpus):
        if (place := scratch.take(pinning.function.gpus)) is None:
            return None
        places[pinning.stage].append(place)
    growing = list(wanted)
    while growing:
        growing = [pinning for pinning in growing if _grown(places[pinning.stage], pinning, scratch)]
    return _spread(wanted, places, devices) or {stage: tuple(found) for stage, found in places.items()}


def _spread(wanted: Sequence[Pinning], packed: Mapping[str, Sequence[Place]], devices: Devices) -> Places | None:
    """Places for as many workers as are `packed`, fractions where least is used; None where not all fit that way."""
    scratch = Devices(devices.count, dict(devices.used))
    found: dict[str, list[Place]] = {pinning.stage: [] for pinning in wanted}
    for pinning in sorted(wanted, key=lambda pinning: -pinning.function.gpus):
        for _ in packed[pinning.stage]:
            if (place := _emptiest(scratch, pinning.function.gpus)) is None:
                return None
            found[pinning.stage].append(place)
    return {stage: tuple(places) for stage, places in found.items()}


def _emptiest(devices: Devices, share: float) -> Place | None:
    """A place for a worker of `share` on the device that is used least."""
    if share >= 1:
        return devices.take(share)
    by_use = sorted(range(devices.count), key=lambda device: devices.used.get(device, 0.0))
    return devices.take(share, [(device,) for device in by_use])


def _grown(places: list[Place], pinning: Pinning, devices: Devices) -> bool:
    """Add a place, where the stage can use one and it is there."""
    place = devices.take(pinning.function.gpus) if len(places) < pinning.most else None
    places.extend([] if place is None else [place])
    return place is not None


def placed_alone(wanted: Sequence[Pinning], count: int) -> Places:
    """Places on `count` devices that nobody uses.

    Raises:
        TooFewDevices: not each stage finds a place for one worker.
    """
    if (places := place_workers(wanted, Devices(count))) is None:
        raise too_few(wanted, count)
    return places


def too_few(wanted: Sequence[Pinning], count: int, reason: str = "") -> TooFewDevices:
    """The error that says what is wanted, what there is, and what would be enough."""
    functions = [(pinning.function.name, pinning.function.gpus) for pinning in wanted]
    enough = count
    while place_workers(wanted, Devices(enough)) is None:
        enough += 1
    return TooFewDevices(functions, count, enough, reason)
