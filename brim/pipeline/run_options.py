"""Run options: what is said of one run, beside the settings of its engine."""

from __future__ import annotations

from dataclasses import dataclass

from brim.errors import PlanError
from brim.sizes import parse_size


@dataclass(frozen=True, slots=True)
class RunOptions:
    """See `Pipeline.run`.

    Attributes:
        weight: the part of memory and threads that the run has beside others of its engine is this, of all weights.
        max_memory: bytes that the run may have at most, floors and loans together; None is its part.
    """

    weight: float = 1.0
    max_memory: int | None = None

    @classmethod
    def of(cls, weight: float | None, max_memory: int | str | None, memory: int) -> RunOptions:
        """Checked; a percentage is of `memory`, the engine's."""
        if weight is not None and not (weight > 0 and weight != float("inf")):
            raise PlanError(f"weight is a number above 0, not {weight!r}")
        most = None if max_memory is None else parse_size(max_memory, whole=memory)
        return cls(1.0 if weight is None else float(weight), most)
