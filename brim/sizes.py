"""How large things are, and how to cut them. The only place that decides.

A batch weighs the bytes it keeps alive: `get_total_buffer_size()` counts whole buffers, each once, where `nbytes`
counts only the rows that are seen. A slice of ten rows can pin twenty megabytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

import pyarrow as pa

from brim.arrow_pool import arrow_pool
from brim.errors import PlanError

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

_UNITS: dict[str, int | Fraction] = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_UNITS |= {"kib": KIB, "mib": MIB, "gib": GIB, "tib": 1 << 40}
_SIZE = re.compile(r"\s*(\d{1,30}(?:\.\d{1,30})?)\s*([a-z%]*)\s*", re.IGNORECASE)


def parse_size(size: int | str, whole: int | None = None) -> int:
    """Bytes meant by an integer, ``"512MiB"``, ``"2GB"`` or, where `whole` is known, ``"60%"``.

    >>> parse_size("1.5 KiB"), parse_size("2MB"), parse_size("50%", whole=400)
    (1536, 2000000, 200)
    """
    if isinstance(size, int) and not isinstance(size, bool):
        if size <= 0:
            raise PlanError(f"a size is positive, not {size}")
        return size
    match = _SIZE.fullmatch(size) if isinstance(size, str) else None
    units = {**_UNITS, "%": Fraction(whole or 0, 100)}
    unit = units.get(match[2].lower(), 0) if match else 0
    meant = int(Fraction(match[1]) * unit) if match else 0  # exact: a float is not, beyond 2**53
    if not meant:
        raise PlanError(f'{size!r} is no size: write bytes as an integer, or "512MiB", "2GB"')
    return meant


def format_size(size: float) -> str:
    """`size` bytes for people.

    >>> format_size(1536), format_size(3 * MIB), format_size(12)
    ('1.5 KiB', '3.0 MiB', '12 B')
    """
    for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if abs(size) >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size:.0f} B"


def held_bytes(batch: pa.RecordBatch | pa.Array) -> int:
    """The bytes that stay alive while `batch` is referenced."""
    return int(batch.get_total_buffer_size())


def owned(batch: pa.RecordBatch) -> pa.RecordBatch:
    """`batch`, copied when it pins more than twice its own bytes; the copy takes milliseconds, so not on the loop."""
    seen = batch.nbytes
    if held_bytes(batch) <= 2 * seen + 4 * KIB:
        return batch
    return pa.concat_batches([batch], memory_pool=arrow_pool())


def is_apart(batch: pa.RecordBatch) -> bool:
    """Whether each column of `batch` can be let go by itself: those of an IPC message are parts of one buffer.

    Such a buffer keeps the whole alive when the other columns have long been dropped, and no size says so.
    """
    return not any(buffer is not None and buffer.parent is not None for array in batch for buffer in array.buffers())


def apart(batch: pa.RecordBatch) -> pa.RecordBatch:
    """`batch`, copied when its columns cannot be let go by themselves."""
    return batch if is_apart(batch) else pa.concat_batches([batch], memory_pool=arrow_pool())


def cut(batch: pa.RecordBatch, piece_bytes: int) -> Iterator[pa.RecordBatch]:
    """Slices of `batch` of about `piece_bytes` seen bytes each; a single row is never cut, so a slice may be larger.

    Rows differ in size: a slice that is still too large is halved until it fits or is one row.
    """
    rows = batch.num_rows
    if rows <= 1 or batch.nbytes <= piece_bytes:
        if rows:
            yield batch
        return
    pieces = -(-batch.nbytes // piece_bytes)
    step = max(1, -(-rows // pieces))
    for start in range(0, rows, step):
        piece = batch.slice(start, step)
        if piece.num_rows > 1 and piece.nbytes > 2 * piece_bytes:
            yield from cut(piece, piece_bytes)
        else:
            yield piece
