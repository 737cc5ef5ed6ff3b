"""Row place: where a row stands: in its batch, as kernels know, or in the input of its stage, as the bridge counts."""

from __future__ import annotations

import re

from brim.errors import CorruptInput, LimitExceeded

_OF_BATCH = re.compile(r"row (\d+) of its batch")


def row_of_batch(row: int) -> str:
    """The place that a kernel gives a row.

    >>> row_of_batch(3)
    'row 3 of its batch'
    """
    return f"row {row} of its batch"


def in_input(error: CorruptInput | LimitExceeded, first_row: int) -> CorruptInput | LimitExceeded:
    """`error` with the row's place in the input, whose row `first_row` is the first of the batch.

    >>> str(in_input(CorruptInput("body", row_of_batch(3), "no image"), 1000))
    'body, row 1,003 of its input: no image'
    """

    def place(text: str) -> str:
        return _OF_BATCH.sub(lambda match: f"row {first_row + int(match[1]):,} of its input", text)

    if isinstance(error, CorruptInput):
        return CorruptInput(error.source, place(error.where), error.reason)
    return LimitExceeded(error.what, error.value, error.limit, place(error.place))
