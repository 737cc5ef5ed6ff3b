"""`.embedding`: methods of expressions of vectors of numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from brim.operators.expressions.tree import Tree
from brim.pipeline.namespaces.operand import call_tree

E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class EmbeddingNamespace(Generic[E]):
    """What `col(...).embedding` offers; `wrap` makes an expression of a tree."""

    tree: Tree
    wrap: Callable[[Tree], E]

    def norm(self) -> E:
        """The Euclidean length.

        >>> col("a").embedding.norm()
        col("a").embedding.norm()
        """
        return self.wrap(call_tree("embedding.norm", self.tree))

    def dot(self, other: Any) -> E:
        """The scalar product.

        >>> col("a").embedding.dot([1.0, 2.0])
        col("a").embedding.dot([1.0, 2.0])
        """
        return self.wrap(call_tree("embedding.dot", self.tree, other))

    def cosine_distance(self, other: Any) -> E:
        """1 - the cosine of the angle: 0 for one direction, 2 for opposite ones.

        >>> col("a").embedding.cosine_distance([1.0, 2.0])
        col("a").embedding.cosine_distance([1.0, 2.0])
        """
        return self.wrap(call_tree("embedding.cosine_distance", self.tree, other))

    def euclidean_distance(self, other: Any) -> E:
        """The length of the difference.

        >>> col("a").embedding.euclidean_distance([1.0, 2.0])
        col("a").embedding.euclidean_distance([1.0, 2.0])
        """
        return self.wrap(call_tree("embedding.euclidean_distance", self.tree, other))
