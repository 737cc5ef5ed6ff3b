"""`.embedding`: vectors of numbers, as lists or fixed-size lists of one length in a batch. Sums are of float64."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import types

from brim.operators.expressions.function import Function, Values, entry, rows_of, spread, to_numpy
from brim.operators.expressions.promotion import NoCommonType, is_list

FUNCTIONS: dict[str, Function] = {}
VECTORS = "lists of integers or floats"
Matrix = np.ndarray[Any, Any]


def meet_vectors(values: Sequence[Values], leaves: Sequence[Any]) -> list[Values]:  # noqa: ARG001 - the shape of a meet
    """Lists of numbers; a tensor column as the fixed-size lists that store it."""
    plain = [value.storage if isinstance(value, pa.ExtensionArray) else value for value in values]
    for value in plain:
        if not is_list(value.type) or not (
            types.is_integer(value.type.value_type) or types.is_floating(value.type.value_type)
        ):
            raise NoCommonType(f"{value.type} is no list of numbers")
    return plain


@entry(FUNCTIONS, "embedding.dot", VECTORS, meet_vectors)
def dot(left: Values, right: Values) -> pa.Array:
    """The scalar product.

    >>> call("embedding.dot", [[1.0, 2.0], None], pa.scalar([3.0, 4.0]))
    [11.0, None]
    """
    return _by_rows(_dot, left, right)


@entry(FUNCTIONS, "embedding.norm", VECTORS, meet_vectors)
def norm(vectors: Values) -> pa.Array:
    """The Euclidean length.

    >>> call("embedding.norm", [[3.0, 4.0]])
    [5.0]
    """
    return _by_rows(lambda one, other: np.sqrt(_dot(one, other)), vectors, vectors)


@entry(FUNCTIONS, "embedding.cosine_distance", VECTORS, meet_vectors)
def cosine_distance(left: Values, right: Values) -> pa.Array:
    """1 - the cosine of the angle: 0 for one direction, 1 at a right angle, 2 for opposite ones; NaN of a zero vector.

    >>> call("embedding.cosine_distance", [[1.0, 0.0], [0.0, 2.0]], pa.scalar([0.0, 1.0]))
    [1.0, 0.0]
    """

    def distance(one: Matrix, other: Matrix) -> Matrix:
        with np.errstate(all="ignore"):
            return 1 - _dot(one, other) / np.sqrt(_dot(one, one) * _dot(other, other))  # type: ignore[no-any-return]

    return _by_rows(distance, left, right)


@entry(FUNCTIONS, "embedding.euclidean_distance", VECTORS, meet_vectors)
def euclidean_distance(left: Values, right: Values) -> pa.Array:
    """The length of the difference.

    >>> call("embedding.euclidean_distance", [[1.0, 1.0]], pa.scalar([4.0, 5.0]))
    [5.0]
    """

    def distance(one: Matrix, other: Matrix) -> Matrix:
        apart = np.subtract(one, other, dtype=np.float64)
        return np.sqrt(_dot(apart, apart))

    return _by_rows(distance, left, right)


def _dot(left: Matrix, right: Matrix) -> Matrix:
    return np.einsum("ij,ij->i", left, right, dtype=np.float64, casting="unsafe")  # type: ignore[no-any-return]


def _by_rows(function: Any, left: Values, right: Values) -> pa.Array:
    """`function` over the two matrices of the rows where both vectors are there."""
    rows = rows_of(left, right)
    left, right = spread(left, rows), spread(right, rows)
    valid = pc.and_(pc.is_valid(left), pc.is_valid(right))
    kept = [side if valid.true_count == rows else side.filter(valid) for side in (left, right)]
    one, other = map(_matrix, kept)
    if one.shape != other.shape:
        raise ValueError(f"vectors of {one.shape[1]} and of {other.shape[1]} numbers")
    result = np.zeros(rows)
    result[to_numpy(valid, null=False)] = function(one, other)
    return pa.array(result, mask=~to_numpy(valid, null=False))


def _matrix(vectors: pa.Array) -> Matrix:
    """One row a vector; none is null, a null number is NaN."""
    lengths = pc.unique(pc.list_value_length(vectors)).to_pylist()
    if len(lengths) > 1:
        raise ValueError(f"vectors of different lengths: {sorted(lengths)[:2]}")
    numbers = to_numpy(vectors.flatten(), null=np.nan if types.is_floating(vectors.type.value_type) else 0)
    return numbers.reshape(len(vectors), lengths[0] if lengths else 0)
