"""How many parts rows are divided into at most, and what the floor of a stage has to have for an exchange."""

from __future__ import annotations

from brim.operators.protocol import Stage
from brim.sizes import KIB

MOST, LEAST = 128, 4
BLOCK_LEAST = 64 * KIB
"""A block that is smaller costs more to write and to read than its bytes."""


DIVIDED_AT_ONCE = 2
"""Batches: one is divided while the one before is written."""


def exchange_floor(batch_bytes: int) -> int:
    """What an exchange has in hand beside the batch that is added: those being divided, and a block."""
    return (DIVIDED_AT_ONCE + 1) * batch_bytes


def most_parts(stage: Stage) -> int:
    """As many as make blocks worth writing, when only what the stage has for itself is held; a power of two."""
    blocks = max(1, stage.memory.window_bytes // BLOCK_LEAST)
    return max(LEAST, min(MOST, 1 << (blocks.bit_length() - 1)))
