"""`.struct`: methods of expressions of structs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from brim.operators.expressions.tree import Tree
from brim.pipeline.namespaces.operand import call_tree

E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class StructNamespace(Generic[E]):
    """What `col(...).struct` offers; `wrap` makes an expression of a tree."""

    tree: Tree
    wrap: Callable[[Tree], E]

    def field(self, name: str) -> E:
        """The field called `name`; null where the struct is.

        >>> col("a").struct.field("x")
        col("a").struct.field(name='x')
        """
        return self.wrap(call_tree("struct.field", self.tree, name=name))
