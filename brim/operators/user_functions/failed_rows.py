"""Failed rows: which rows of a call have no result and why, as Arrow data, so that many of them stay cheap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from brim.operators.user_functions.without_words import without_words

TOLD = ("error", "traceback", "signal")
FAILED = pa.schema([("row", pa.int64()), *((name, pa.string()) for name in TOLD)])


def failed_rows(
    rows: Sequence[int], errors: Sequence[str], traces: Sequence[str], signals: Sequence[str | None] | None = None
) -> pa.RecordBatch | None:
    """The record of failures; None where there is none. `signals` are the names of those that ended a worker."""
    if not rows:
        return None
    texts = (errors, traces, [None] * len(rows) if signals is None else signals)
    columns = [pa.array(rows, pa.int64()), *(pa.array(text, pa.string()) for text in texts)]
    return pa.RecordBatch.from_arrays(columns, schema=FAILED)


def why(failed: pa.RecordBatch) -> str:
    """What logs and reports say of the first of them."""
    return without_words(failed["error"][0].as_py(), failed["traceback"][0].as_py() or "")


def moved(failed: pa.RecordBatch, rows: Sequence[int]) -> pa.RecordBatch:
    """`failed`, whose row n of a part is row `rows[n]` of the whole."""
    places = np.asarray(rows, dtype=np.int64)[failed["row"].to_numpy()]
    return failed.set_column(0, "row", pa.array(places, pa.int64()))


def without(batch: pa.RecordBatch, failed: pa.RecordBatch) -> pa.RecordBatch:
    """The rows of `batch` that did not fail."""
    keep = np.ones(batch.num_rows, dtype=bool)
    keep[failed["row"].to_numpy()] = False
    return batch.filter(pa.array(keep))


def letters(batch: pa.RecordBatch, failed: pa.RecordBatch) -> pa.RecordBatch:
    """The rows of `batch` that failed, with `error`, `traceback` and `signal` beside them."""
    rows = batch.take(failed["row"])
    for name in TOLD:
        rows = rows.append_column(free_name(name, batch.schema.names), failed[name])
    return rows


def letter_schema(schema: pa.Schema) -> pa.Schema:
    """The schema of `letters` for batches of `schema`."""
    for name in TOLD:
        schema = schema.append(pa.field(free_name(name, schema.names), pa.string()))
    return schema


def free_name(name: str, taken: Sequence[str]) -> str:
    """`name`, with underscores in front while it is taken.

    >>> free_name("error", ["id", "error"])
    '_error'
    """
    while name in taken:
        name = f"_{name}"
    return name
