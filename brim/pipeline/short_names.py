"""Short names: operators as the user calls them, where that tells them apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Protocol


class Named(Protocol):
    """What has an id, and a name that may not be its own alone."""

    @property
    def id(self) -> str: ...

    @property
    def name(self) -> str: ...


def short_names(operators: Sequence[Named]) -> list[str]:
    """The names of `operators` as the user knows them, their ids where a name is not enough."""
    known = Counter(operator.name for operator in operators)
    return [operator.name if known[operator.name] == 1 else operator.id for operator in operators]
