"""Family: one number by labels, described once for all who collect. Data only.

Names are words with dots, as in ``ledger.used``; units are those of the UCUM, as in ``By``. Prometheus and
OpenTelemetry each spell both in their own way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["gauge", "counter"]
Labels = tuple[tuple[str, str], ...]
"""Names and values, in the order they are shown."""

BYTES, SECONDS = "By", "s"


@dataclass(frozen=True, slots=True)
class Description:
    """What a number means: a `counter` only grows while its engine lives, a `gauge` is what is now."""

    name: str
    kind: Kind
    unit: str
    text: str


@dataclass(frozen=True, slots=True)
class Family:
    """A number, one value for each set of labels; no set stands twice."""

    description: Description
    values: Mapping[Labels, float]


def by_label(description: Description, name: str, values: Mapping[str, float]) -> Family:
    """A family with one label.

    >>> by_label(Description("runs", "counter", "{run}", "runs"), "outcome", {"ok": 3}).values
    {(('outcome', 'ok'),): 3}
    """
    return Family(description, {((name, key),): value for key, value in values.items()})


def plain(description: Description, value: float) -> Family:
    """A family without labels."""
    return Family(description, {(): value})


def added_up(values: Iterable[tuple[Labels, float]]) -> dict[Labels, float]:
    """The sum of all values of each set of labels.

    >>> added_up([((), 1), ((), 2.5)])
    {(): 3.5}
    """
    sums: dict[Labels, float] = {}
    for labels, value in values:
        sums[labels] = sums.get(labels, 0) + value
    return sums
