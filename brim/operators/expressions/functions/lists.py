"""`.list`: functions of lists of any layout. All work on the flat elements of the whole batch at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import types

from brim.operators.expressions.cast import cast
from brim.operators.expressions.function import Function, Values, entry, spread, to_numpy
from brim.operators.expressions.functions.comparison import eq_missing
from brim.operators.expressions.promotion import (
    NoCommonType,
    adapted_type,
    cast_to,
    common_type,
    is_list,
    is_text,
    is_weak,
)

FUNCTIONS: dict[str, Function] = {}
LISTS = "lists"
Numbers = np.ndarray[Any, Any]


def meet_lists(values: Sequence[Values], leaves: Sequence[Any]) -> list[Values]:  # noqa: ARG001 - the shape of a meet
    """A large list of the elements, whatever layout the list has; further arguments as they are."""
    lists, *others = values
    if not is_list(lists.type):
        raise NoCommonType(f"{lists.type} is no list")
    return [pc.cast(lists, pa.large_list(lists.type.value_type)), *others]


def meet_list_and_item(values: Sequence[Values], leaves: Sequence[Any]) -> list[Values]:
    """A list and a value, at the common type of the value and the list's elements."""
    lists, item = meet_lists(values, leaves)
    element = lists.type.value_type
    met = adapted_type(element, item) if is_weak(leaves[1]) else common_type(element, item.type)
    return [pc.cast(lists, pa.large_list(met)), cast_to(item, met)]


def _bounds(lists: pa.Array) -> tuple[Numbers, Numbers]:
    """Where each list starts among `lists.values`, and how long it is; a null is as long as none."""
    offsets = lists.offsets.to_numpy()
    lengths = np.diff(offsets)
    return offsets[:-1], np.where(_valid(lists), lengths, 0)


def _valid(values: pa.Array) -> Numbers:
    return to_numpy(pc.is_valid(values), null=False)


def _owners(lengths: Numbers) -> Numbers:
    """For each element, the row that it belongs to."""
    return np.repeat(np.arange(len(lengths)), lengths)


def _gathered(lists: pa.Array, starts: Numbers, lengths: Numbers) -> pa.Array:
    """The lists made of `lengths` elements from `starts` on."""
    ends = np.cumsum(lengths)
    indices = np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - lengths), lengths)
    return _lists(lists.values.take(pa.array(indices)), lengths, lists)


def _lists(elements: pa.Array, lengths: Numbers, like: pa.Array) -> pa.Array:
    """A list column of these elements, null where `like` is."""
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    made = pa.LargeListArray.from_arrays(pa.array(offsets), elements, mask=pc.is_null(like))
    return made.cast(pa.list_(elements.type))


@entry(FUNCTIONS, "list.len", LISTS, meet_lists)
def length(lists: pa.Array) -> pa.Array:
    """How many elements.

    >>> call("list.len", [[1, None], [], None])
    [2, 0, None]
    """
    return pc.list_value_length(lists)


@entry(FUNCTIONS, "list.get", "lists, and an integer", meet_lists)
def get(lists: pa.Array, index: Values) -> pa.Array:
    """The element at `index`, from the end when negative; null where there is none.

    >>> call("list.get", [[1, 2, 3], [4]], 1), call("list.get", [[1, 2, 3], [4]], -1)
    ([2, None], [3, 4])
    """
    starts, lengths = _bounds(lists)
    places = pc.cast(spread(index, len(lists)), pa.int64())
    wanted = to_numpy(places)
    wanted = np.where(wanted < 0, wanted + lengths, wanted)
    missing = (wanted < 0) | (wanted >= lengths) | ~_valid(places)
    return lists.values.take(pa.array(starts + wanted, mask=missing))


@entry(FUNCTIONS, "list.slice", LISTS, meet_lists)
def slice_list(lists: pa.Array, offset: int, length: int | None = None) -> pa.Array:
    """`length` elements from `offset` on, which counts from the end when negative; without `length`, all of them.

    >>> call("list.slice", [[1, 2, 3], [4]], offset=1), call("list.slice", [[1, 2, 3]], offset=-2, length=1)
    ([[2, 3], []], [[2]])
    """
    starts, lengths = _bounds(lists)
    begin = offset if offset >= 0 else lengths + offset
    end = lengths if length is None else np.minimum(begin + length, lengths)
    first = np.clip(begin, 0, lengths)
    return _gathered(lists, starts + first, np.maximum(end - first, 0))


@entry(FUNCTIONS, "list.reverse", LISTS, meet_lists)
def reverse(lists: pa.Array) -> pa.Array:
    """The elements backwards.

    >>> call("list.reverse", [[1, 2], None])
    [[2, 1], None]
    """
    starts, lengths = _bounds(lists)
    ends = np.cumsum(lengths)
    within = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - lengths, lengths)
    indices = np.repeat(starts + lengths - 1, lengths) - within
    return _lists(lists.values.take(pa.array(indices)), lengths, lists)


@entry(FUNCTIONS, "list.join", "lists of strings", meet_lists)
def join(lists: pa.Array, separator: str) -> pa.Array:
    """The strings of a list one after another, nulls left out.

    >>> call("list.join", [["a", None, "b"], []], separator="-")
    ['a-b', '']
    """
    if not is_text(lists.type.value_type):
        raise TypeError(f"{lists.type} is no list of strings")
    return pc.binary_join(drop_nulls(lists), pa.scalar(separator, lists.type.value_type))


@entry(FUNCTIONS, "list.drop_nulls", LISTS, meet_lists)
def drop_nulls(lists: pa.Array) -> pa.Array:
    """Without the elements that are null.

    >>> call("list.drop_nulls", [[1, None], [None]])
    [[1], []]
    """
    elements, owners = _present(lists)
    return _lists(elements, np.bincount(owners, minlength=len(lists)), lists)


def _present(lists: pa.Array) -> tuple[pa.Array, Numbers]:
    """The elements that are not null, and their rows."""
    elements = lists.flatten()
    owners = _owners(_bounds(lists)[1])
    valid = pc.is_valid(elements)
    return elements.filter(valid), owners[to_numpy(valid, null=False)]


@entry(FUNCTIONS, "list.contains", "a list, and a value that meets its elements", meet_list_and_item)
def contains(lists: pa.Array, item: Values) -> pa.Array:
    """Whether the value is an element.

    >>> call("list.contains", [[1, 2], [], None], 2)
    [True, False, None]
    """
    owners = _owners(_bounds(lists)[1])
    wanted = item if isinstance(item, pa.Scalar) else item.take(pa.array(owners))
    hits = to_numpy(pc.equal(lists.flatten(), wanted).fill_null(False), null=False)
    found = np.bincount(owners[hits], minlength=len(lists)) > 0
    return pa.array(found, mask=~_valid(lists))


def _folded(fold: np.ufunc, numbers: Numbers, owners: Numbers, rows: int) -> tuple[Numbers, Numbers]:
    """`fold` over each row's numbers, and which rows have any."""
    counts = np.bincount(owners, minlength=rows)
    filled = counts > 0
    result = np.zeros(rows, numbers.dtype)
    if len(numbers):
        result[filled] = fold.reduceat(numbers, (np.cumsum(counts) - counts)[filled])
    return result, filled


def _numbers(lists: pa.Array) -> tuple[pa.Array, Numbers]:
    elements, owners = _present(lists)
    kind = elements.type
    if not (types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind) or types.is_null(kind)):
        raise TypeError(f"{lists.type} is no list of integers or floats")
    return elements, owners


@entry(FUNCTIONS, "list.sum", "lists of integers or floats", meet_lists)
def total(lists: pa.Array) -> pa.Array:
    """The sum of the elements, nulls left out; 0 of none.

    >>> call("list.sum", [[1, 2, None], [], None])
    [3, 0, None]
    """
    elements, owners = _numbers(lists)
    kind = elements.type
    wide = pa.float64() if types.is_floating(kind) else pa.uint64() if types.is_unsigned_integer(kind) else pa.int64()
    numbers = to_numpy(pc.cast(elements, wide))
    sums, _ = _folded(np.add, numbers, owners, len(lists))
    if not types.is_floating(wide):
        about, _ = _folded(np.add, numbers.astype(np.float64), owners, len(lists))
        if (np.abs(about - sums.astype(np.float64)) > 1 << 62).any():  # the sum wrapped
            raise pa.ArrowInvalid(f"the sum of a list overflows {wide}")
    return pa.array(sums, wide, mask=~_valid(lists))


@entry(FUNCTIONS, "list.mean", "lists of integers or floats", meet_lists)
def mean(lists: pa.Array) -> pa.Array:
    """The mean of the elements, nulls left out; null of none.

    >>> call("list.mean", [[1, 2, None], []])
    [1.5, None]
    """
    elements, owners = _numbers(lists)
    numbers = to_numpy(cast(elements, pa.float64()))
    sums, filled = _folded(np.add, numbers, owners, len(lists))
    with np.errstate(all="ignore"):
        means = sums / np.bincount(owners, minlength=len(lists))
    return pa.array(means, pa.float64(), mask=~filled)


def _extreme(fold: np.ufunc, lists: pa.Array) -> pa.Array:
    elements, owners = _numbers(lists)
    if types.is_null(elements.type):
        return pa.nulls(len(lists))
    found, filled = _folded(fold, to_numpy(elements), owners, len(lists))
    return pa.array(found, elements.type, mask=~filled)


@entry(FUNCTIONS, "list.min", "lists of integers or floats", meet_lists)
def least(lists: pa.Array) -> pa.Array:
    """The least element; null of none.

    >>> call("list.min", [[3, 1, None], []])
    [1, None]
    """
    return _extreme(np.fmin, lists)


@entry(FUNCTIONS, "list.max", "lists of integers or floats", meet_lists)
def greatest(lists: pa.Array) -> pa.Array:
    """The greatest element; null of none.

    >>> call("list.max", [[3, 1, None], []])
    [3, None]
    """
    return _extreme(np.fmax, lists)


def _sorted_elements(lists: pa.Array, order: str) -> tuple[pa.Array, Numbers]:
    elements = lists.flatten()
    owners = pa.array(_owners(_bounds(lists)[1]))
    keys = pa.RecordBatch.from_arrays([owners, elements], names=["row", "element"])
    indices = pc.sort_indices(keys, sort_keys=[("row", "ascending"), ("element", order)])
    return elements.take(indices), owners.to_numpy()


@entry(FUNCTIONS, "list.sort", "lists of values that have an order", meet_lists)
def sort(lists: pa.Array, descending: bool = False) -> pa.Array:
    """The elements in order, nulls at the end.

    >>> call("list.sort", [[3, None, 1], []])
    [[1, 3, None], []]
    """
    elements, _ = _sorted_elements(lists, "descending" if descending else "ascending")
    return _lists(elements, _bounds(lists)[1], lists)


@entry(FUNCTIONS, "list.unique", "lists of values that have an order", meet_lists)
def unique(lists: pa.Array) -> pa.Array:
    """Each different element once, in order.

    >>> call("list.unique", [[3, 1, 3], None])
    [[1, 3], None]
    """
    elements, owners = _sorted_elements(lists, "ascending")
    first = np.ones(len(elements), dtype=bool)
    if len(elements) > 1:
        same = eq_missing(elements.slice(0, len(elements) - 1), elements.slice(1))
        first[1:] = ~to_numpy(same, null=False) | (owners[1:] != owners[:-1])
    return _lists(elements.filter(pa.array(first)), np.bincount(owners[first], minlength=len(lists)), lists)
