"""Divides one number between the stages of a plan: arithmetic only.

    memory = base + pad + ledger           ledger = floors + oversize reserve + pool

- *base*: worker processes with what they have constructed, and the modules a plan imports.
- *pad*: what no ledger sees: fragmentation, Python objects, sockets.
- *floors*: one batch an edge, one in the consumer's hand, and what each stage says it holds. At most half of the share,
  and a little more where one run has it all and no stage keeps rows, which is what the pool is largest for.
- *oversize*: what single rows larger than a batch may take beyond it, one after another, and computing while none does.
  A quarter of the ledger, and at least what a stage is known to need (`reserve_bytes`: a large page of a file), or the
  plan is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

from brim.errors import BudgetTooSmall
from brim.limits import BATCH_BYTES_MAX, BATCH_BYTES_MIN
from brim.operators.materialises import Materialises
from brim.operators.protocol import NeedsReserve, Operator
from brim.pipeline.plan import Allotment
from brim.sizes import KIB, MIB

PAD_MIN = 24 * MIB
PAD_SHARE = 10
OVERSIZE_SHARE = 4
FLOORS_SHARE = 2
STREAMING_SHARE = 9 / 16  # W4 took 1.27 s instead of 1.52 with batches of 4.2 MiB instead of 3.8; 1.35 with 5/8
STEP = 16 * KIB
MARGIN = MIB


def pad_bytes(memory: int) -> int:
    """What is kept apart for bytes that no ledger sees."""
    return max(PAD_MIN, memory // PAD_SHARE)


def floors_of(operators: Sequence[Operator], floor_bytes: int) -> int:
    """All floors, when a batch's is `floor_bytes`: of every stage, of every edge, and of the consumer."""
    return sum(operator.floor_bytes(floor_bytes) for operator in operators) + (len(operators) + 1) * floor_bytes


def allot(
    operators: Sequence[Operator],
    memory: int,
    *,
    base: int = 0,
    runs: int = 1,
    batch_bytes: int | None = None,
    remedy: str = "",
    most: int | None = None,
    floors_most: int | None = None,
    batch_most: int | None = None,
) -> Allotment:
    """Divide `memory` for a plan of `operators` that shares it with up to `runs` - 1 others of its kind.

    The plan itself gets `most` of it at most. Its floors take `floors_most` where that is said, else about half of its
    share; the smallest there are it may always have, if they are half of its share. No batch is larger than
    `batch_most`, where that is said.

    Raises `BudgetTooSmall` naming a memory that is enough.
    """
    pad = pad_bytes(memory)
    ledger = memory - base - pad
    oversize = max(0, ledger // OVERSIZE_SHARE)
    share = ledger // runs if most is None else min(ledger // runs, most)
    room = _floors_room(operators, share, runs) if floors_most is None else min(floors_most, ledger // FLOORS_SHARE)
    room = room if most is None else min(room, most // FLOORS_SHARE)
    unit = _floor_unit(operators, room, batch_bytes, batch_most)
    floors, least = floors_of(operators, unit), floors_of(operators, _floor_unit(operators, 0, batch_bytes))
    if most is not None and least > most // FLOORS_SHARE:
        raise BudgetTooSmall(FLOORS_SHARE * least, most, "a larger max_memory")
    reserve, reason = _reserve(operators)
    if least > share // FLOORS_SHARE or oversize < reserve:
        needed = _needed(max(2 * least * runs, OVERSIZE_SHARE * reserve), base)
        raise BudgetTooSmall(needed, memory, remedy, reason if oversize < reserve else "")
    return Allotment(
        given=memory,
        base=base,
        pad=pad,
        floors=floors,
        oversize=oversize,
        pool=ledger - oversize - floors,
        floor_bytes=unit,
        batch_bytes=unit // 2,
        stage_floors=tuple(operator.floor_bytes(unit) for operator in operators),
    )


def _floors_room(operators: Sequence[Operator], share: int, runs: int) -> int:
    """What floors may take of `share`, which is one of so many."""
    keeps = runs > 1 or any(isinstance(operator, Materialises) for operator in operators)
    return share // FLOORS_SHARE if keeps else int(share * STREAMING_SHARE)


def _floor_unit(
    operators: Sequence[Operator], most: int, batch_bytes: int | None, batch_most: int | None = None
) -> int:
    """The largest floor of a batch that keeps the floors within `most`; the smallest when none does."""
    if batch_bytes is not None:
        return 2 * batch_bytes
    unit_most = BATCH_BYTES_MAX if batch_most is None else min(2 * batch_most, BATCH_BYTES_MAX)
    low, high = BATCH_BYTES_MIN // STEP, max(BATCH_BYTES_MIN, unit_most) // STEP
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if floors_of(operators, middle * STEP) <= most else (low, middle - 1)
    return low * STEP


def _reserve(operators: Sequence[Operator]) -> tuple[int, str]:
    """The most that a stage is known to need of the oversize reserve, and what for."""
    known = [operator for operator in operators if isinstance(operator, NeedsReserve)]
    return max(((operator.reserve_bytes, operator.reserve_reason) for operator in known), default=(0, ""))


def _needed(ledger: int, base: int) -> int:
    """A memory that leaves so large a ledger, rounded up to a whole MiB, with a margin."""
    without_pad = base + ledger + MARGIN
    memory = max(without_pad + PAD_MIN, without_pad * PAD_SHARE // (PAD_SHARE - 1) + MARGIN)
    return -(-memory // MIB) * MIB
