"""What an engine may use, checked and frozen. Nothing here asks the machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from brim.errors import PlanError
from brim.sizes import GIB, KIB, MIB

BATCH_BYTES_MIN = 64 * KIB
BATCH_BYTES_MAX = 16 * MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The execution settings of one engine.

    Attributes:
        memory: bytes by which the process tree may grow.
        batch_bytes: the most a batch weighs; None derives it from `memory`.
        threads: calls that compute at once.
        processes: worker processes at once.
        gpus: devices user functions may be pinned to.
        max_connections: transfers at once, over all stages and runs.
        max_runs: runs at once.
        admission: whether a run that does not fit beside others waits or is refused.
        egress: ``"public"`` denies private and link-local addresses.
        spill_limit: the most bytes of spill files; None is 90 % of what is free when the first is opened.
    """

    memory: int = GIB
    batch_bytes: int | None = None
    threads: int = 2
    processes: int = 2
    gpus: int = 0
    max_connections: int = 64
    max_runs: int = 16
    admission: Literal["wait", "refuse"] = "wait"
    egress: Literal["any", "public"] = "any"
    spill_limit: int | None = None

    def __post_init__(self) -> None:
        for name in ("memory", "threads", "processes", "max_connections", "max_runs"):
            if getattr(self, name) < 1:
                raise PlanError(f"{name} is at least 1, not {getattr(self, name)}")
        if not isinstance(self.gpus, int) or self.gpus < 0:
            raise PlanError(f"gpus is a whole number of devices, 0 or more, not {self.gpus}")
        if self.batch_bytes is not None and not 1 <= self.batch_bytes <= self.memory:
            raise PlanError(f"batch_bytes lies between 1 and memory, not {self.batch_bytes}")
        if self.egress not in ("any", "public"):
            raise PlanError(f'egress is "any" or "public", not {self.egress!r}')
        if self.admission not in ("wait", "refuse"):
            raise PlanError(f'admission is "wait" or "refuse", not {self.admission!r}')
