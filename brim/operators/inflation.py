"""Inflation: how much larger an operator makes its input, learned as it runs, and how to cut the input for it.

Two ratios to the bytes read: what is made, and what computing takes beside it. Each is estimated by its mean plus four
mean deviations, as TCP estimates its retransmission time-out (Jacobson 1988): quick to follow a rise, slow to forget.
The first calls are small probes. A call that takes more than was lent for it halves the cut at once; eight calls later
it grows again, by a quarter a call (additive increase would take hundreds of batches).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from brim.events import BatchResized, Overshot
from brim.operators.ordered import Ordered
from brim.operators.work_estimate import LeastOfLast, WorkEstimate
from brim.sizes import KIB, cut, format_size

PROBE_ROWS = 1024
PROBE_SHARE = 16
SURE_PROBE_BYTES = 128 * KIB
"""The probe of what never makes more than it reads: all of a small batch, for a call costs more than it would teach."""

RISE, FALL = 0.5, 0.1
HOLD_CALLS = 8
REGROWTH = 1.25
TOLD_FACTOR = 2
TOLERANCE = 1.25
"""A call may exceed its loan by this much before it counts: rows differ, and weights are rounded up to buffers."""
LEAST_OVERSHOOT = 64 * 1024


@dataclass(eq=False, slots=True)
class Estimate:
    """A ratio on the safe side: its mean and four mean deviations; None while nothing is known."""

    mean: float | None = None
    deviation: float = 0.0

    def learn(self, ratio: float) -> None:
        """Take note of one more value."""
        if self.mean is None:
            self.mean = ratio
            return
        error = ratio - self.mean
        weight = RISE if error > 0 else FALL
        self.mean += weight * error
        self.deviation += weight * (abs(error) - self.deviation)

    def value(self, unknown: float) -> float:
        """The estimate, or `unknown`."""
        return unknown if self.mean is None else self.mean + 4 * self.deviation


@dataclass(eq=False, slots=True)
class Inflation:
    """What one operator in one run makes of its input, and takes for it.

    `target_bytes` is what an output should weigh, `work_limit` the most a call should take beside its input and output
    (None where that is not counted), `work` how that is estimated, `inflates` whether an output may be larger than its
    input. `share` is the part of a full cut that is dared after an overshoot; `unsettled` says that there was one, and
    that calls under way will teach more.
    """

    target_bytes: int
    work_limit: int | None = None
    work: WorkEstimate = field(default_factory=LeastOfLast)
    share: float = 1.0
    unsettled: bool = False
    inflates: bool = True
    _made: Estimate = field(default_factory=Estimate)
    _hold: int = 0
    _alone: bool = False
    _row_bytes: float = 1.0
    _told_bytes: int | None = None

    @property
    def mean(self) -> float | None:
        """The mean ratio of what is made to what is read; None before the probe."""
        return self._made.mean

    @property
    def estimate(self) -> float:
        """Output bytes for an input byte, on the safe side."""
        return self._made.value(1.0)

    @property
    def work_estimate(self) -> float:
        """Bytes that computing takes for an input byte."""
        return self.work.ratio

    @property
    def input_bytes(self) -> int:
        """What the input of a call should weigh, so that its output and its work fit."""
        whole = self.target_bytes / max(1.0, self.estimate)
        if self.work_limit is not None:
            whole = min(whole, self.work.most_input(self.work_limit))
        return max(1, int(self.share * whole))

    def output_bytes(self, read_bytes: int) -> int:
        """What a call is expected to hold of its output: all of it, or one piece; a whole piece for the probe."""
        return min(self.target_bytes, int(read_bytes * self._made.value(self.target_bytes)))

    def work_bytes(self, read_bytes: int) -> int:
        """What a call is expected to take while it computes, beside its input and output."""
        return self.work.bytes_for(read_bytes)

    def learn(self, read_bytes: int, made_bytes: int, rows: int = 0, work_bytes: int | None = None) -> None:
        """Take note of what became of a call's input, and of the most that was taken meanwhile, if that is known."""
        if not read_bytes:
            return
        self._made.learn(made_bytes / read_bytes)
        if work_bytes is not None:
            self.work.learn(read_bytes, work_bytes)
        if rows:
            self._row_bytes = read_bytes / rows
        if self._hold:
            self._hold -= 1
        elif self.share < 1.0:
            self.share = min(1.0, self.share * REGROWTH)

    def worked(self, read_bytes: int, work_bytes: int) -> None:
        """Take note of what a call took alone, where its output is not known, or is learned by itself."""
        if read_bytes:
            self.work.learn(read_bytes, work_bytes)

    def overshot(self, lent_bytes: int, held_bytes: int) -> Overshot | None:
        """The fact to tell where `held_bytes` are more than was lent, whereupon the next cut is half at most."""
        if held_bytes <= max(lent_bytes * TOLERANCE, lent_bytes + LEAST_OVERSHOOT):
            return None
        self.halve()
        return Overshot(lent_bytes, held_bytes)

    def halve(self) -> None:
        """Cut half as large at most from now on, and let the next call go alone."""
        self.share, self._hold, self.unsettled = self.share / 2, HOLD_CALLS, True

    async def place(self, window: Ordered[Any]) -> None:
        """Wait for a place in `window`. After an overshoot, for the end of all calls, and the next call goes alone."""
        await window.slot()
        if self.unsettled or self._alone:
            window.leave()
            await window.idle()
            await window.slot()
            self.unsettled, self._alone = False, self.unsettled

    def resized(self) -> BatchResized | None:
        """The fact to tell when the cut is less than half, or more than twice, of what was told last.

        The first cut is compared with that of a call that takes nothing beside its input and output.
        """
        size, told = self.input_bytes, self._told_bytes
        if self.mean is None:
            return None
        if told is None:
            told = self._told_bytes = max(1, int(self.target_bytes / max(1.0, self.estimate)))
        if told < TOLD_FACTOR * size and size < TOLD_FACTOR * told:
            return None
        self._told_bytes = size
        way = "less" if size < told else "more"
        takes = f" and takes {self.work_estimate:.3g}" if self.work_estimate else ""
        made = f"1 byte makes {self.estimate:.3g}{takes}"
        return BatchResized(max(1, int(size / self._row_bytes)), f"{way} a call, {format_size(size)}: {made}")

    def cut(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """Parts of `batch` whose output should weigh at most `target_bytes`, each cut when the last has been taken.

        While nothing is known they are probes.
        """
        start = 0
        while start < batch.num_rows:
            part = self.first(batch.slice(start))
            start += part.num_rows
            yield part

    def first(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The first of the parts that `batch` would be cut into now."""
        if self.mean is None:
            probe = max(1, self.target_bytes // PROBE_SHARE)
            if self.inflates:
                return next(cut(batch.slice(0, PROBE_ROWS), probe))
            return next(cut(batch, min(self.target_bytes, max(probe, SURE_PROBE_BYTES))))
        return next(cut(batch, self.input_bytes))
