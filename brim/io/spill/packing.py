"""Whether the blocks of a file are compressed: tried now and then, and kept up while it pays.

Measured on two cores, milliseconds a MiB: LZ4 takes 0.9 to 1.8 to write and 0.1 to 0.8 to read what it can shrink; a
disk of 500 MB/s takes 2 to write and 2 to read. So it pays where it saves a third; text, keys and small numbers shrink
to 0.35 to 0.6. Random bytes, embeddings and JPEGs do not shrink; finding that out takes 0.2.
"""

from __future__ import annotations

from dataclasses import dataclass

CODEC = "lz4"
LEAST_SAVED = 1 / 3
PLAIN_BLOCKS = 15


@dataclass(eq=False, slots=True)
class Packing:
    """The rule for one file: after a block that was compressed in vain, `PLAIN_BLOCKS` are not."""

    _plain: int = 0

    def codec(self) -> str | None:
        """How to write the next block."""
        if self._plain:
            self._plain -= 1
            return None
        return CODEC

    def learn(self, plain_bytes: int, packed_bytes: int) -> None:
        """Take note of what became of a block that was compressed."""
        if packed_bytes > plain_bytes * (1 - LEAST_SAVED):
            self._plain = PLAIN_BLOCKS
