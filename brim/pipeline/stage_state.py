"""What the runtime knows of one running stage: where its time goes and whether it holds the oversize reserve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from brim.events import Fact
from brim.pipeline.stage_clock import StageClock


class Droppable(Protocol):
    """An oversize batch that can be let go."""

    def drop(self) -> None: ...


@dataclass(eq=False, slots=True)
class StageState:
    """One running stage, as its queues and loans see it.

    `rank` grows downstream: who is further downstream is served first. `oversize` counts loans from the oversize
    reserve in the stage's hand.
    """

    id: str
    name: str
    rank: float
    clock: StageClock
    on_fact: Callable[[str, Fact], None]
    oversize: int = 0
    in_hand: Droppable | None = None
    on_reserve: Callable[[], None] | None = None

    def tell(self, fact: Fact) -> None:
        self.on_fact(self.id, fact)

    def hold_reserve(self) -> None:
        """Count a loan from the oversize reserve, and hurry a sender that waits for room: who holds it never waits."""
        self.oversize += 1
        if self.on_reserve is not None:
            self.on_reserve()

    def empty_hand(self) -> None:
        """Let go of the oversize batch taken last: the stage is done with it."""
        if self.in_hand is not None:
            self.in_hand.drop()
            self.in_hand = None
