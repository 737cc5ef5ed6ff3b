"""Scale: where a value stands on a plot, and the round numbers beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from brim.sizes import GIB, KIB, MIB


@dataclass(frozen=True, slots=True)
class Scale:
    """Values from 0 to `most` on the way from `start` to `end`."""

    most: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = value / self.most if self.most > 0 else 0.0
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)


def ticks(most: float, count: int) -> list[float]:
    """Round numbers from 0 up to `most`, at most `count` steps.

    >>> ticks(9.3, 5), ticks(0.8, 4), ticks(0, 4)
    ([0.0, 2.0, 4.0, 6.0, 8.0], [0.0, 0.2, 0.4, 0.6, 0.8], [0.0])
    """
    if most <= 0:
        return [0.0]
    least = most / count
    power = 10.0 ** int(f"{least:e}".partition("e")[2])
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))
    return [round(number * step, 9) for number in range(int(most / step + 1e-9) + 1)]


def size_ticks(most: float, count: int) -> list[float]:
    """Round sizes from 0 up to `most`: powers of two apart, at most `count` steps.

    >>> [int(tick / MIB) for tick in size_ticks(130 * MIB, 4)]
    [0, 64, 128]
    """
    if most <= 0:
        return [0.0]
    step = float(next((unit for unit in (GIB, MIB, KIB) if most >= unit), 1))
    while most / step > count:
        step *= 2
    while most / step <= count / 2 and step > 1:
        step /= 2
    return [number * step for number in range(int(most / step) + 1)]


def stairs(edges: Sequence[float], heights: Sequence[float]) -> str:
    """An SVG path that keeps each height from one edge to the next; where heights are the same it goes straight on.

    >>> stairs([0, 1, 2, 4], [5, 5, 3])
    'M0 5H2V3H4'
    """
    drawn, last = f"M{short(edges[0])} {short(heights[0])}", heights[0]
    for edge, height in zip(edges[1:-1], heights[1:], strict=True):
        if short(height) != short(last):
            drawn, last = f"{drawn}H{short(edge)}V{short(height)}", height
    return f"{drawn}H{short(edges[-1])}"


def band(edges: Sequence[float], lower: Sequence[float], upper: Sequence[float]) -> str:
    """An SVG path around what lies between two stairways.

    >>> band([0, 1, 2], [9, 9], [5, 4])
    'M0 5H1V4H2V9H0Z'
    """
    backwards = stairs(edges[::-1], lower[::-1])
    _, _, rest = backwards.partition(" ")
    return f"{stairs(edges, upper)}V{rest}Z"


def polyline(points: Iterable[tuple[float, float]]) -> str:
    """An SVG path through `points`.

    >>> polyline([(0, 1.25), (2, 3)])
    'M0 1.2L2 3'
    """
    return f"M{'L'.join(f'{short(x)} {short(y)}' for x, y in points)}"


def short(value: float) -> str:
    """A coordinate in a tenth of a pixel.

    >>> short(2.0), short(2.06)
    ('2', '2.1')
    """
    return f"{value:.1f}".removesuffix(".0")
