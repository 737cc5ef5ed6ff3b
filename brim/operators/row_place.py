"""Row place: where a row stands: in its batch, as kernels know, or in the input of its stage, as the bridge counts."""

from __future__ import annotations

import re

from brim.errors import CorruptInput, LimitExceeded, RowTooLarge

PlacedError = CorruptInput | LimitExceeded | RowTooLarge
"""What a kernel raises of one row of its batch."""

_OF_BATCH = re.compile(r"row (\d+) of its batch")


def row_of_batch(row: int) -> str:
    """The place that a kernel gives a row.

    >>> row_of_batch(3)
    'row 3 of its batch'
    """
    return f"row {row} of its batch"


def in_input(error: PlacedError, first_row: int) -> PlacedError:
    """`error` with the row's place in the input, whose row `first_row` is the first of the batch.

    >>> str(in_input(CorruptInput("body", row_of_batch(3), "no image"), 1000))
    'body, row 1,003 of its input: no image'
    """

    def place(text: str) -> str:
        return _OF_BATCH.sub(lambda match: f"row {first_row + int(match[1]):,} of its input", text)

    if isinstance(error, CorruptInput):
        return CorruptInput(error.source, place(error.where), error.reason)
    if isinstance(error, RowTooLarge):
        return RowTooLarge(place(error.place), error.needed_bytes, error.limit_bytes)
    return LimitExceeded(error.what, error.value, error.limit, place(error.place))
