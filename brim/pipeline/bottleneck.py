"""A bottleneck: what those that wait have in common. Apart from the report, because pictures of a run name it too."""

from __future__ import annotations

from dataclasses import dataclass


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
