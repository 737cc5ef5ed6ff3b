"""Choosing: by Arrow where it can, of tensors and of what holds them too."""

from __future__ import annotations

import pyarrow as pa
import pytest

from brim import col, lit, when
from brim.operators.expressions.choose import has_extension
from brim.operators.expressions.evaluate import evaluate

TENSOR = pa.fixed_shape_tensor(pa.uint8(), [2, 2])
TENSORS = pa.ExtensionArray.from_storage(
    TENSOR, pa.array([[1, 2, 3, 4], None, [5, 6, 7, 8], [9, 9, 9, 9]], TENSOR.storage_type)
)
COLUMNS = {
    "tensors": TENSORS,
    "lists": pa.ListArray.from_arrays([0, 1, 1, 3, 4], TENSORS),
    "structs": pa.StructArray.from_arrays([TENSORS, pa.array([1, 2, 3, 4])], ["image", "n"]),
    "lists of lists": pa.ListArray.from_arrays([0, 2, 2, 3, 4], pa.ListArray.from_arrays([0, 1, 1, 3, 4], TENSORS)),
    "plain lists": pa.array([[1], None, [2, 3], []], pa.list_(pa.int8())),
    "numbers": pa.array([1, None, 3, 4]),
}


@pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS)
@pytest.mark.parametrize("sliced", [False, True])
def test_values_of_any_type_are_chosen_row_by_row(column, sliced):
    column = column.slice(1) if sliced else column
    other = column.take(pa.array(range(len(column))[::-1]))
    tests = pa.array([None, True, False, True])[-len(column) :]
    batch = pa.record_batch({"mine": column, "other": other, "test": tests})
    whole = when(col("test")).then(col("mine")).otherwise(col("other"))
    some = when(col("test")).then(col("mine")).otherwise(lit(None, column.type))

    chosen, partly = evaluate(whole.tree, batch), evaluate(some.tree, batch)

    mine, others, flags = column.to_pylist(), other.to_pylist(), tests.to_pylist()
    assert chosen.type == partly.type == column.type
    assert chosen.to_pylist() == [a if flag else b for a, b, flag in zip(mine, others, flags, strict=True)]
    assert partly.to_pylist() == [a if flag else None for a, flag in zip(mine, flags, strict=True)]


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        (pa.int8(), False),
        (pa.struct({"a": pa.list_(pa.string())}), False),
        (pa.uuid(), True),
        (pa.map_(pa.string(), TENSOR), True),
    ],
    ids=repr,
)
def test_extension_types_are_found_inside(kind, found):
    assert has_extension(kind) is found
