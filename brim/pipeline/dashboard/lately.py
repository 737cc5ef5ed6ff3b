"""Lately: what a run has waited for most in the last seconds. Looks are apart, and what is waited for flickers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from brim.pipeline.bottleneck import Bottleneck

HALF_LIFE_S = 3.0
_FORGOTTEN = 0.001


@dataclass(eq=False, slots=True)
class Lately:
    """Seconds of waiting by operator and resource; half of them are forgotten each `HALF_LIFE_S`.

    A look knows who is waited for by most: waiting for others is added up as one, so that shares are of all waiting.
    """

    _seconds: dict[tuple[str, str], float] = field(default_factory=dict)
    _others: float = 0.0
    _last: Bottleneck | None = None

    def look(self, found: Bottleneck | None, elapsed_s: float) -> Bottleneck | None:
        """Take in what is waited for now, and for how long it stands; what was waited for most of late."""
        kept = 0.5 ** (elapsed_s / HALF_LIFE_S)
        self._seconds = {key: left for key, seconds in self._seconds.items() if (left := seconds * kept) > _FORGOTTEN}
        self._others *= kept
        if found is not None:
            key, stood_s = (found.operator, found.resource), max(elapsed_s, _FORGOTTEN)
            self._seconds[key] = self._seconds.get(key, 0.0) + found.share * stood_s
            self._others += (1 - found.share) * stood_s
        self._last = self._most(found)
        return self._last

    def _most(self, found: Bottleneck | None) -> Bottleneck | None:
        if not self._seconds:
            return None
        (operator, resource), seconds = max(self._seconds.items(), key=lambda item: item[1])
        share = seconds / (sum(self._seconds.values()) + self._others)
        for known in (found, self._last):  # what would relieve it is said with it
            if known is not None and (known.operator, known.resource) == (operator, resource):
                return replace(known, share=share)
        return Bottleneck(operator, resource, share)
