"""Memory to hold one part, for what solves several parts at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from brim.operators.ordered import Ordered
from brim.operators.protocol import Loan, Memory


async def part_loan(
    memory: Memory, window: Ordered[Any], need: Callable[[], int], write: Callable[[], Awaitable[None]]
) -> Loan | None:
    """`need()` bytes, for a part that has a place in `window`; None where there is not so much.

    First what others leave. Then what the stage has for itself, once `write` has given back what it holds, which may
    change the need. At last what others leave when no other part is under way.
    """
    if (loan := memory.try_ahead(need())) is not None:
        return loan
    await write()
    if (size := need()) <= memory.window_bytes:
        return await memory.ahead(size)
    window.leave()
    await window.idle()
    await window.slot()
    return memory.try_ahead(need())
