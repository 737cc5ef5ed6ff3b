"""`.json`: methods of expressions of JSON text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import pyarrow as pa

from brim.operators.expressions.tree import Tree
from brim.pipeline.namespaces.operand import call_tree

E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class JsonNamespace(Generic[E]):
    """What `col(...).json` offers; `wrap` makes an expression of a tree."""

    tree: Tree
    wrap: Callable[[Tree], E]

    def decode(self, dtype: pa.DataType, *, on_error: Literal["raise", "null"] = "raise") -> E:
        """The JSON value as `dtype`: fields that it has not are null, fields that `dtype` has not are left out.

        >>> col("a").json.decode(pa.list_(pa.int64()))
        col("a").json.decode(dtype=list<item: int64>)
        """
        return self.wrap(call_tree("json.decode", self.tree, dtype=dtype, on_error=on_error))

    def extract(self, path: str, *, on_error: Literal["raise", "null"] = "raise") -> E:
        """What is at `path`, such as "$.a.b[0]", as text: a string as it is, else as JSON; null where nothing is.

        >>> col("a").json.extract("$.a")
        col("a").json.extract(path='$.a')
        """
        return self.wrap(call_tree("json.extract", self.tree, path=path, on_error=on_error))
