"""`.list`: methods of expressions of lists."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from brim.operators.expressions.tree import Aggregate, Tree
from brim.pipeline.namespaces.operand import call_tree

E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class ListNamespace(Generic[E]):
    """What `col(...).list` offers; `wrap` makes an expression of a tree."""

    tree: Tree
    wrap: Callable[[Tree], E]

    def __call__(self) -> E:
        """All values of a column in one list: the aggregate `list`.

        >>> col("a").list()
        col("a").list()
        """
        return self.wrap(Aggregate("list", self.tree))

    def len(self) -> E:
        """How many elements.

        >>> col("a").list.len()
        col("a").list.len()
        """
        return self.wrap(call_tree("list.len", self.tree))

    def get(self, index: Any) -> E:
        """The element at `index`, from the end when negative; null where there is none.

        >>> col("a").list.get(0)
        col("a").list.get(0)
        """
        return self.wrap(call_tree("list.get", self.tree, index))

    def first(self) -> E:
        """The first element.

        >>> col("a").list.first()
        col("a").list.get(0)
        """
        return self.wrap(call_tree("list.get", self.tree, 0))

    def last(self) -> E:
        """The last element.

        >>> col("a").list.last()
        col("a").list.get(-1)
        """
        return self.wrap(call_tree("list.get", self.tree, -1))

    def slice(self, offset: int, length: int | None = None) -> E:
        """`length` elements from `offset` on, which counts from the end when negative.

        >>> col("a").list.slice(1, 2)
        col("a").list.slice(offset=1, length=2)
        """
        return self.wrap(call_tree("list.slice", self.tree, offset=offset, length=length))

    def head(self, n: int = 5) -> E:
        """The first `n` elements.

        >>> col("a").list.head(3)
        col("a").list.slice(offset=0, length=3)
        """
        return self.wrap(call_tree("list.slice", self.tree, offset=0, length=n))

    def tail(self, n: int = 5) -> E:
        """The last `n` elements.

        >>> col("a").list.tail(3)
        col("a").list.slice(offset=-3)
        """
        return self.wrap(call_tree("list.slice", self.tree, offset=-n))

    def contains(self, item: Any) -> E:
        """Whether the value is an element.

        >>> col("a").list.contains(2)
        col("a").list.contains(2)
        """
        return self.wrap(call_tree("list.contains", self.tree, item))

    def join(self, separator: str) -> E:
        """The strings of a list one after another, nulls left out.

        >>> col("a").list.join("-")
        col("a").list.join(separator='-')
        """
        return self.wrap(call_tree("list.join", self.tree, separator=separator))

    def sum(self) -> E:
        """The sum of the elements, nulls left out; 0 of none.

        >>> col("a").list.sum()
        col("a").list.sum()
        """
        return self.wrap(call_tree("list.sum", self.tree))

    def mean(self) -> E:
        """The mean of the elements, nulls left out; null of none.

        >>> col("a").list.mean()
        col("a").list.mean()
        """
        return self.wrap(call_tree("list.mean", self.tree))

    def min(self) -> E:
        """The least element; null of none.

        >>> col("a").list.min()
        col("a").list.min()
        """
        return self.wrap(call_tree("list.min", self.tree))

    def max(self) -> E:
        """The greatest element; null of none.

        >>> col("a").list.max()
        col("a").list.max()
        """
        return self.wrap(call_tree("list.max", self.tree))

    def sort(self, *, descending: bool = False) -> E:
        """The elements in order, nulls at the end.

        >>> col("a").list.sort()
        col("a").list.sort()
        """
        return self.wrap(call_tree("list.sort", self.tree, descending=descending))

    def unique(self) -> E:
        """Each different element once, in order.

        >>> col("a").list.unique()
        col("a").list.unique()
        """
        return self.wrap(call_tree("list.unique", self.tree))

    def reverse(self) -> E:
        """The elements backwards.

        >>> col("a").list.reverse()
        col("a").list.reverse()
        """
        return self.wrap(call_tree("list.reverse", self.tree))

    def drop_nulls(self) -> E:
        """Without the elements that are null.

        >>> col("a").list.drop_nulls()
        col("a").list.drop_nulls()
        """
        return self.wrap(call_tree("list.drop_nulls", self.tree))
