"""A bottleneck: what those that wait have in common. Apart from the report, because pictures of a run name it too."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

R = TypeVar("R", bound=str)


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """The stage that the others waited for most, by `share` of all waiting, and what it was doing: its resource.

    `relief` is what would make it quicker.
    """

    operator: str
    resource: str
    share: float
    relief: str = ""

    def __str__(self) -> str:
        return f"{self.operator} ({self.resource}) caused {self.share:.0%} of the waiting"


def slowest(waited: Mapping[tuple[str, R], float]) -> tuple[str, R, float] | None:
    """Of waiting by root and resource: the root that caused most of it, what it lacked or was longest, and its share.

    The root comes first: one that computes now and lacks memory then holds the others up all the time. None where
    nobody waited.

    >>> slowest({("decode-2", "cpu"): 3, ("decode-2", "memory"): 2, ("embed-3", "cpu"): 4, ("write-4", "disk"): 1})
    ('decode-2', 'cpu', 0.5)
    """
    roots: defaultdict[str, float] = defaultdict(float)
    for (root, _), seconds in waited.items():
        roots[root] += seconds
    first = max(roots, key=roots.__getitem__, default=None)
    if first is None or not roots[first]:
        return None
    resources = {resource: seconds for (root, resource), seconds in waited.items() if root == first}
    return first, max(resources, key=resources.__getitem__), roots[first] / sum(roots.values())
