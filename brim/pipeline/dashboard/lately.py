"""Lately: what a run has waited for most in the last seconds. Looks are apart, and what is waited for flickers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from brim.pipeline.bottleneck import Bottleneck, slowest
from brim.pipeline.snapshot import RunSnapshot

HALF_LIFE_S = 3.0
_FORGOTTEN = 0.001

Waits = Mapping[tuple[str, str], float]
"""How many wait for each operator, by what it lacks or is."""


@dataclass(eq=False, slots=True)
class Lately:
    """Seconds of waiting by operator and resource; half of them are forgotten each `HALF_LIFE_S`."""

    _seconds: dict[tuple[str, str], float] = field(default_factory=dict)

    def look(self, waits: Waits, elapsed_s: float) -> Bottleneck | None:
        """Take in who waits now, and for how long it stands; what was waited for most of late."""
        kept = 0.5 ** (elapsed_s / HALF_LIFE_S)
        self._seconds = {key: left for key, seconds in self._seconds.items() if (left := seconds * kept) > _FORGOTTEN}
        for key, count in waits.items():
            self._seconds[key] = self._seconds.get(key, 0.0) + count * max(elapsed_s, _FORGOTTEN)
        found = slowest(self._seconds)
        return None if found is None else Bottleneck(*found)


def waits(run: RunSnapshot) -> Waits:
    """Who waits in `run`, for whom in the end; where no stage does, what who reads it waits for."""
    roots = Counter((stage.root, stage.root_reason) for stage in run.stages if stage.root and stage.root_reason)
    found = run.bottleneck
    return roots or ({} if found is None else {(found.operator, found.resource): 1})
