"""How the columns and the constants of one call are laid out: `f(col("a"), 3, size=col("b"))`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Taken:
    """The argument that stands at `index` of what is given."""

    index: int


@dataclass(frozen=True, slots=True)
class Constant:
    """The same value in every call."""

    value: Any = field(repr=False)  # the key of a service, perhaps


Slot = Taken | Constant


@dataclass(frozen=True, slots=True)
class Arguments:
    """The positional and the named arguments of a call; without any, all that is given is passed on in order."""

    positional: tuple[Slot, ...] = ()
    named: tuple[tuple[str, Slot], ...] = ()

    def call(self, function: Callable[..., Any], given: Sequence[Any]) -> Any:
        """`function` over `given`.

        >>> Arguments((Taken(1), Constant(3)), (("c", Taken(0)),)).call(lambda a, b, c: (a, b, c), ["x", "y"])
        ('y', 3, 'x')
        """
        if not self.positional and not self.named:
            return function(*given)
        named = {name: _fill(slot, given) for name, slot in self.named}
        return function(*(_fill(slot, given) for slot in self.positional), **named)


def _fill(slot: Slot, given: Sequence[Any]) -> Any:
    return given[slot.index] if isinstance(slot, Taken) else slot.value
