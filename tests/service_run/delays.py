"""How late a loop is: it asks to be woken every few milliseconds, and compares."""

from __future__ import annotations

import asyncio
import faulthandler
import time
from dataclasses import dataclass, field
from typing import IO

import numpy as np

EVERY_S = 0.005


@dataclass
class Delays:
    """`late` milliseconds, one for each time. With `dump` the stacks of all threads go there when it is late by `dump_s`.

    A thread without the interpreter's lock writes them, so it is seen who has the loop, or the lock, for so long.
    """

    late: list[float] = field(default_factory=list)
    dump: IO[str] | None = None
    dump_s: float = 0.02

    async def watch(self) -> None:
        while True:
            before = time.perf_counter()
            if self.dump is not None:
                faulthandler.dump_traceback_later(EVERY_S + self.dump_s, file=self.dump)
            await asyncio.sleep(EVERY_S)
            self.late.append(max(0.0, time.perf_counter() - before - EVERY_S) * 1000)

    def take(self) -> dict[str, float]:
        """Figures since the last time they were taken."""
        late, self.late = self.late or [0.0], []
        return figures(late)


def figures(values: list[float]) -> dict[str, float]:
    """What is said of many numbers; all zero for none."""
    if not values:
        return dict.fromkeys(("count", "p50", "p99", "max"), 0.0)
    p50, p99, most = np.quantile(values, [0.5, 0.99, 1.0])
    return {"count": len(values), "p50": float(p50), "p99": float(p99), "max": float(most)}
