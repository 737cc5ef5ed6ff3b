"""`.bin`: methods of expressions of bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from brim.operators.decompress import MAX_BYTES, Decompress
from brim.operators.expressions.tree import Apply, Tree
from brim.pipeline.namespaces.operand import call_tree

E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class BinaryNamespace(Generic[E]):
    """What `col(...).bin` offers; `wrap` makes an expression of a tree."""

    tree: Tree
    wrap: Callable[[Tree], E]

    def size(self) -> E:
        """How many bytes.

        >>> col("a").bin.size()
        col("a").bin.size()
        """
        return self.wrap(call_tree("bin.size", self.tree))

    def slice(self, offset: int, length: int | None = None) -> E:
        """`length` bytes from `offset` on, which counts from the end when negative.

        >>> col("a").bin.slice(0, 4)
        col("a").bin.slice(offset=0, length=4)
        """
        return self.wrap(call_tree("bin.slice", self.tree, offset=offset, length=length))

    def contains(self, literal: bytes) -> E:
        """Whether the bytes are found.

        >>> col("a").bin.contains(b"x")
        col("a").bin.contains(literal=b'x')
        """
        return self.wrap(call_tree("bin.contains", self.tree, literal=literal))

    def starts_with(self, prefix: bytes) -> E:
        """Whether it begins with `prefix`, such as the magic number of a file format.

        >>> col("a").bin.starts_with(b"x")
        col("a").bin.starts_with(prefix=b'x')
        """
        return self.wrap(call_tree("bin.starts_with", self.tree, prefix=prefix))

    def ends_with(self, suffix: bytes) -> E:
        """Whether it ends with `suffix`.

        >>> col("a").bin.ends_with(b"x")
        col("a").bin.ends_with(suffix=b'x')
        """
        return self.wrap(call_tree("bin.ends_with", self.tree, suffix=suffix))

    def encode(self, encoding: str) -> E:
        """As text, in "hex" or "base64".

        >>> col("a").bin.encode("hex")
        col("a").bin.encode(encoding='hex')
        """
        return self.wrap(call_tree("bin.encode", self.tree, encoding=encoding))

    def decode(self, encoding: str, *, strict: bool = True) -> E:
        """The bytes that ASCII text writes in "hex" or "base64"; bad text is an error or, when not `strict`, null.

        >>> col("a").bin.decode("hex")
        col("a").bin.decode(encoding='hex')
        """
        return self.wrap(call_tree("bin.decode", self.tree, encoding=encoding, strict=strict))

    def compress(self, codec: str) -> E:
        """Compressed, each value by itself: gzip, zlib, deflate, zstd, lz4, brotli, snappy, bz2 or xz.

        >>> col("a").bin.compress("zstd")
        col("a").bin.compress(codec='zstd')
        """
        return self.wrap(call_tree("bin.compress", self.tree, codec=codec))

    def decompress(self, codec: str, *, max_bytes: int = MAX_BYTES) -> E:
        """Decompressed, each value by itself; one that would grow beyond `max_bytes` fails before it does.

        >>> col("a").bin.decompress("gzip")
        decompress.gzip(col("a"))
        """
        return self.wrap(Apply(Decompress(codec, max_bytes), (self.tree,)))
