"""Wait causes: the waiting of a run, added up by who caused it and by the chain that led there.

A stage that waits may be in the middle of a longer chain. Of the chains of one moment only whole ones are counted,
those that no other goes through, so that the chain which stood longest tells the whole story.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field

from brim.events import Resource
from brim.pipeline.bottleneck import slowest
from brim.pipeline.chain import Chain


@dataclass(eq=False, slots=True)
class WaitCauses:
    """Seconds of waiting by root and resource, and by whole chain."""

    _roots: defaultdict[tuple[str, Resource], float] = field(default_factory=lambda: defaultdict(float))
    _chains: defaultdict[Chain, float] = field(default_factory=lambda: defaultdict(float))

    def note(self, chains: Collection[Chain], elapsed_s: float) -> None:
        """`chains` are those of all stages that wait, and stood for `elapsed_s`."""
        for chain in chains:
            self._roots[chain.root, chain.reason] += elapsed_s
        for chain in whole(chains):
            self._chains[chain] += elapsed_s

    def bottleneck(self) -> tuple[str, Resource, float] | None:
        """The stage that caused most of the waiting, what it lacked or was, and its share; None if nobody waited."""
        return slowest(self._roots)

    def longest(self) -> tuple[Chain, float] | None:
        """The chain that stood for most of the time, and its seconds; None if nobody waited."""
        chain, seconds = max(self._chains.items(), key=lambda item: item[1], default=(None, 0.0))
        return None if chain is None or not seconds else (chain, seconds)


def whole(chains: Collection[Chain]) -> list[Chain]:
    """Those of `chains` that no other one goes through.

    >>> short, long = Chain(("b", "c"), Resource.CPU), Chain(("a", "b", "c"), Resource.CPU)
    >>> whole([short, long]) == [long]
    True
    """
    inside = {stage for chain in chains for stage in chain.ids[1:]}
    return [chain for chain in chains if chain.ids[0] not in inside]
