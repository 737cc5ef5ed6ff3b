"""Devices: which GPU each worker sees. Counting only; nothing here asks the machine."""

from __future__ import annotations

from dataclasses import dataclass, field

ROUNDING = 1e-9


@dataclass(eq=False, slots=True)
class Devices:
    """`count` devices, each shared by workers whose shares add up to 1 at most.

    >>> devices = Devices(2)
    >>> [devices.take(share) for share in (0.5, 0.5, 1, 1)]
    [(0,), (0,), (1,), None]
    """

    count: int
    _used: dict[int, float] = field(default_factory=dict)

    def take(self, share: float) -> tuple[int, ...] | None:
        """The devices of one worker, None while too few are free; `share` is a fraction of one, or a whole number."""
        wanted, each = (1, share) if share < 1 else (int(share), 1.0)
        free = [device for device in range(self.count) if self._used.get(device, 0.0) + each <= 1 + ROUNDING]
        if len(free) < wanted:
            return None
        for device in free[:wanted]:
            self._used[device] = self._used.get(device, 0.0) + each
        return tuple(free[:wanted])

    def give_back(self, devices: tuple[int, ...], share: float) -> None:
        for device in devices:
            self._used[device] -= min(share, 1.0)

    def most(self, share: float) -> int:
        """The most workers of `share` that find a device at once."""
        return int(self.count / share) if share >= 1 else self.count * int(1 / share + ROUNDING)


def visible(devices: tuple[int, ...], inherited: str | None) -> str:
    """CUDA_VISIBLE_DEVICES for `devices`, which count within what the engine's own process may see.

    >>> visible((1,), None), visible((1,), "4,5")
    ('1', '5')
    """
    names = [name.strip() for name in inherited.split(",")] if inherited else []
    return ",".join(names[device] if device < len(names) else str(device) for device in devices)
