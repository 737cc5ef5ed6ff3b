"""`.url`: methods of expressions of URLs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from brim.errors import PlanError
from brim.operators.downloads.download import Download
from brim.operators.expressions.tree import Apply, Tree
from brim.pipeline.namespaces.operand import call_tree

E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class UrlNamespace(Generic[E]):
    """What `col(...).url` offers; `wrap` makes an expression of a tree."""

    tree: Tree
    wrap: Callable[[Tree], E]

    def download(
        self,
        *,
        max_connections: int = 32,
        max_bytes: int | None = None,
        on_error: Literal["raise", "null"] = "raise",
        timeout_s: float | None = 60.0,
        retries: int = 3,
        headers: Mapping[str, str] | None = None,
    ) -> E:
        """The body of each URL, `large_binary`; several at a time, in the order of the rows.

        Args:
            max_connections: the most transfers at once; the engine's own limit caps it.
            max_bytes: the most a body may weigh.
            on_error: whether a row that cannot be fetched fails the run or becomes null.
            timeout_s: seconds an attempt may take while brim is ready to read.
            retries: attempts after the first, for what is worth trying again.
            headers: sent with each request, never to another origin.

        >>> col("a").url.download(max_connections=8)
        download(col("a"))
        """
        if headers is not None and not isinstance(headers, Mapping):
            raise PlanError(f"headers are a mapping of names to values, not a {type(headers).__name__}")
        pairs = tuple((headers or {}).items())
        step = Download(max_connections, max_bytes, on_error, timeout_s, retries, pairs)
        return self.wrap(Apply(step, (self.tree,)))

    def parse(self) -> E:
        """A struct of scheme, host, port, path, query and fragment; null for a bad URL.

        >>> col("a").url.parse()
        col("a").url.parse()
        """
        return self.wrap(call_tree("url.parse", self.tree))

    def scheme(self) -> E:
        """The scheme, such as `https`.

        >>> col("a").url.scheme()
        col("a").url.parse().struct.field(name='scheme')
        """
        return self._part("scheme")

    def host(self) -> E:
        """The host, without user and port.

        >>> col("a").url.host()
        col("a").url.parse().struct.field(name='host')
        """
        return self._part("host")

    def path(self) -> E:
        """The path.

        >>> col("a").url.path()
        col("a").url.parse().struct.field(name='path')
        """
        return self._part("path")

    def query(self) -> E:
        """The query, without the question mark.

        >>> col("a").url.query()
        col("a").url.parse().struct.field(name='query')
        """
        return self._part("query")

    def _part(self, name: str) -> E:
        return self.wrap(call_tree("struct.field", call_tree("url.parse", self.tree), name=name))
