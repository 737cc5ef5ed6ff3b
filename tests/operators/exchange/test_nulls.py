"""Nulls of any type, and none of any type."""

import pyarrow as pa
import pytest

from brim.operators.exchange.nulls import nulls
from brim.operators.exchange.together import together

TENSOR = pa.fixed_shape_tensor(pa.uint8(), [2])
KINDS = [pa.int64(), pa.null(), pa.list_(pa.int8()), TENSOR, pa.list_(TENSOR), pa.struct([("t", TENSOR)]), pa.uuid()]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_nulls_of_any_type(kind):
    made = nulls(3, kind)
    assert (made.type, made.null_count) == (kind, 3)
    assert made.to_pylist() == [None] * 3


def test_no_batches_are_one_without_rows():
    schema = pa.schema([(str(place), kind) for place, kind in enumerate(KINDS)])
    assert together(schema, []).schema == schema
    assert together(schema, []).num_rows == 0
