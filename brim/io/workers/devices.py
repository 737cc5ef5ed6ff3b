"""Devices: which GPU each worker sits on. Counting only; nothing here asks the machine.

A place is the devices of one worker: one of them for a share below 1, as many as the share says from 1 on.
The planner and the workers count with the same class, so what was planned is what can be taken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

Place = tuple[int, ...]

ROUNDING = 1e-9


@dataclass(eq=False, slots=True)
class Devices:
    """`count` devices, each shared by workers whose shares add up to 1 at most.

    `wanted` is called with places of which none is free, and the share that one of them must have room for; `freed`
    when somebody has left a place.

    >>> devices = Devices(2)
    >>> [devices.take(share) for share in (0.5, 0.5, 1, 1)]
    [(0,), (0,), (1,), None]
    """

    count: int
    used: dict[int, float] = field(default_factory=dict)
    wanted: Callable[[Sequence[Place], float], None] = lambda _places, _share: None
    freed: Callable[[], None] = lambda: None

    def take(self, share: float, among: Iterable[Place] | None = None) -> Place | None:
        """A place for a worker of `share`, the first of `among` that is free; None while none is."""
        places = self._anywhere(share) if among is None else among
        place = next((place for place in places if has_room(self.used, place, share)), None)
        for device in place or ():
            self.used[device] = self.used.get(device, 0.0) + min(share, 1.0)
        return place

    def give_back(self, place: Place, share: float) -> None:
        """Leave a place that was taken for a worker of `share`."""
        free(self.used, place, share)
        if place:
            self.freed()

    def places(self, share: float) -> tuple[Place, ...]:
        """Every place that workers of `share` have where no others are."""
        empty = Devices(self.count)
        return tuple(iter(lambda: empty.take(share), None))

    def _anywhere(self, share: float) -> list[Place]:
        if share < 1:
            return [(device,) for device in range(self.count)]
        unused = [device for device in range(self.count) if has_room(self.used, (device,), 1.0)]
        return [tuple(unused[: int(share)])] if len(unused) >= int(share) else []


def has_room(used: Mapping[int, float], place: Place, share: float) -> bool:
    """Whether a worker of `share` fits in `place`."""
    return all(used.get(device, 0.0) + min(share, 1.0) <= 1 + ROUNDING for device in place)


def free(used: dict[int, float], place: Place, share: float) -> None:
    """Take a worker of `share` out of `place`."""
    for device in place:
        used[device] -= min(share, 1.0)
        if used[device] < ROUNDING:
            del used[device]


def untaken(places: Sequence[Place], taken: Iterable[Place]) -> list[Place]:
    """`places` without those that are `taken`, each as often as it is there."""
    left, free_places = Counter(taken), []
    for place in places:
        if left[place]:
            left[place] -= 1
        else:
            free_places.append(place)
    return free_places


def misplaced(taken: Sequence[Place], places: Iterable[Place]) -> list[int]:
    """Which of `taken`, by index, are not among `places`, or more often than there."""
    left, found = Counter(places), []
    for index, place in enumerate(taken):
        left[place] -= 1
        if left[place] < 0:
            found.append(index)
    return found


def in_the_way(
    used: Mapping[int, float], places: Sequence[Place], share: float, idle: Sequence[tuple[Place, float]]
) -> list[int]:
    """Which of the `idle` workers must end, by index, so that a worker of `share` finds one of `places`.

    They are asked for in their order, no more than needed, and none where it would not help.
    """
    for place in places:
        left, ends = dict(used), []
        for index, (held, each) in enumerate(idle):
            common = tuple(device for device in held if device in place)
            if not has_room(left, common, share):
                free(left, held, each)
                ends.append(index)
        if has_room(left, place, share):
            return ends
    return []


def names(inherited: str) -> list[str]:
    """The devices that a value of CUDA_VISIBLE_DEVICES lets a process see: CUDA stops at a name that is none.

    >>> names("0,2,-1,1"), names(""), names("GPU-8932f937,MIG-2a/1/0")
    (['0', '2'], [], ['GPU-8932f937', 'MIG-2a/1/0'])
    """
    seen: list[str] = []
    for name in (part.strip() for part in inherited.split(",")):
        if not (name.isdecimal() or name.startswith(("GPU-", "MIG-"))):
            break
        seen.append(name)
    return seen if len(set(seen)) == len(seen) else []  # of a list with the same device twice CUDA takes none


def visible(devices: Place, inherited: str | None) -> str:
    """CUDA_VISIBLE_DEVICES for `devices`, which count within what the engine's own process may see.

    >>> visible((1,), None), visible((1,), "4,5"), visible((0,), "")
    ('1', '5', '')
    """
    if inherited is None:
        return ",".join(map(str, devices))
    seen = names(inherited)
    return ",".join(seen[device] for device in devices if device < len(seen))
