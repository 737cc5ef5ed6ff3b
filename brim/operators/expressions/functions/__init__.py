"""The function table, gathered: a name in a `Call` to what it computes."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from brim.operators.expressions.function import Function, Values
from brim.operators.expressions.functions import (
    arithmetic,
    binary,
    comparison,
    embeddings,
    hashing,
    json,
    lists,
    logic,
    strings,
    structs,
    time_text,
    times,
    urls,
)
from brim.operators.expressions.tree import literal

_NUMBERS = (arithmetic, comparison, logic, hashing)
_KINDS = (binary, embeddings, json, lists, strings, structs, time_text, times, urls)
FUNCTIONS: dict[str, Function] = {
    name: function for module in (*_NUMBERS, *_KINDS) for name, function in module.FUNCTIONS.items()
}


def apply_function(function: Function, values: list[Values], leaves: list[Any], options: dict[str, Any]) -> Values:
    """What `function` makes of `values`; a scalar when all of them are."""
    met = function.meet(values, leaves) if function.meet else values
    if met and all(isinstance(value, pa.Scalar) for value in met):
        return _flat(function.compute(*[pa.repeat(value, 1) for value in met], **options))[0]
    return _flat(function.compute(*met, **options))


def _flat(result: Any) -> pa.Array:
    return result.combine_chunks() if isinstance(result, pa.ChunkedArray) else result


def call(name: str, /, *arguments: Any, **options: Any) -> list[Any]:
    """The function `name` on Python values: lists are columns, anything else is a literal.

    >>> call("add", [1, 2], 10)
    [11, 12]
    """
    leaves = [None if isinstance(given, (list, pa.Array)) else literal(given) for given in arguments]
    values = [
        given if isinstance(given, pa.Array) else pa.array(given) if leaf is None else leaf.value
        for given, leaf in zip(arguments, leaves, strict=True)
    ]
    made: list[Any] = apply_function(FUNCTIONS[name], values, leaves, options).to_pylist()
    return made
