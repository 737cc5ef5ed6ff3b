"""What a call will take, as the headers in its data tell."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What pushing a batch will take, as the headers in its data tell: known before anything is computed.

    Headers may lie, so what comes out is weighed all the same.

    Attributes:
        made_bytes: what all pieces together weigh, at most.
        row_bytes: what the largest row weighs in them: a piece cannot be smaller.
        work_bytes: the most the kernel takes at once beside its input and the piece in the making.
    """

    made_bytes: int
    row_bytes: int
    work_bytes: int

    def held_bytes(self, piece_bytes: int) -> int:
        """The most a push holds beside its input, made in pieces of `piece_bytes`.

        >>> Foreseen(made_bytes=900, row_bytes=300, work_bytes=50).held_bytes(200)
        350
        """
        return max(min(self.made_bytes, piece_bytes), self.row_bytes) + self.work_bytes
