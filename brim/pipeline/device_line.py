"""Device line: how runs reserve the devices of their workers, and wait for them in the order they came.

Devices are reserved before anything else, so nobody who waits for them holds memory that others wait for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import anyio

from brim.io.workers.devices import Devices, Place
from brim.limits import Limits
from brim.operators.user_functions.user_function import UserFunction
from brim.pipeline.place_workers import Pinning, place_workers, placed_alone, too_few
from brim.pipeline.plan import Places


@dataclass(eq=False, slots=True)
class Reservation:
    """The places of one run: `wanted` says whose they are."""

    wanted: Sequence[Pinning] = ()
    places: Places = field(default_factory=dict)

    def of(self, function: UserFunction) -> tuple[Place, ...]:
        """The places of one stage that uses `function`: there a first worker can be measured."""
        return next((self.places[pinning.stage] for pinning in self.wanted if pinning.function == function), ())


@dataclass(eq=False, slots=True)
class DeviceLine:
    """The devices that the admitted runs of an engine have reserved."""

    limits: Limits
    reserved: Devices = field(init=False)
    _line: anyio.Lock = field(default_factory=anyio.Lock)
    _freed: anyio.Event = field(default_factory=anyio.Event)

    def __post_init__(self) -> None:
        self.reserved = Devices(self.limits.gpus)

    async def reserve(self, wanted: Sequence[Pinning]) -> Reservation:
        """Places for the workers of `wanted`, beside those of other runs.

        Raises:
            TooFewDevices: they do not fit where nobody else is, or not now and the engine does not wait.
        """
        if not wanted:
            return Reservation()
        placed_alone(wanted, self.limits.gpus)
        async with self._line:
            while (places := place_workers(wanted, self.reserved)) is None:
                if self.limits.admission == "refuse":
                    raise too_few(wanted, self.limits.gpus, "other runs have them, wait until one has ended")
                await self._freed.wait()
            self._take(wanted, places)
        return Reservation(wanted, places)

    def release(self, reservation: Reservation) -> None:
        """Give back what was reserved: the run has ended."""
        for pinning in reservation.wanted:
            for place in reservation.places[pinning.stage]:
                self.reserved.give_back(place, pinning.function.gpus)
        if reservation.wanted:
            self._freed.set()
            self._freed = anyio.Event()

    def _take(self, wanted: Sequence[Pinning], places: Places) -> None:
        for pinning in wanted:
            for place in places[pinning.stage]:
                self.reserved.take(pinning.function.gpus, [place])
