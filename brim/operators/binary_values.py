"""Binary values: where each value of a binary column lies, without a copy.

A scalar of such a column has a copy of its value, which for files and compressed data costs as much as reading them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa


def value_at(array: pa.Array) -> Callable[[int], pa.Buffer | None]:
    """A function from a row of `array`, `binary` or `large_binary`, to its bytes, None for null.

    >>> at = value_at(pa.array([b"brim", None], pa.binary()))
    >>> at(0).to_pybytes(), at(1)
    (b'brim', None)
    """
    _, offsets, data = array.buffers()
    kind = np.int64 if pa.types.is_large_binary(array.type) else np.int32
    ends = [0] if offsets is None else np.frombuffer(offsets, kind)[array.offset :][: len(array) + 1].tolist()
    valid = array.is_valid().to_pylist() if array.null_count else None
    whole = pa.py_buffer(b"") if data is None else data

    def at(row: int) -> pa.Buffer | None:
        if valid is not None and not valid[row]:
            return None
        return whole.slice(ends[row], ends[row + 1] - ends[row])

    return at


def values_of(array: pa.Array) -> Iterator[pa.Buffer | None]:
    """The bytes of each row of `array`, None for null."""
    return map(value_at(array), range(len(array)))
