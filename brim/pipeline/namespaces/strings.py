"""`.str`: methods of expressions of strings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from brim.operators.expressions.tree import Tree
from brim.pipeline.namespaces.operand import call_tree

E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class StringNamespace(Generic[E]):
    """What `col(...).str` offers; `wrap` makes an expression of a tree."""

    tree: Tree
    wrap: Callable[[Tree], E]

    def to_uppercase(self) -> E:
        """In capitals.

        >>> col("a").str.to_uppercase()
        col("a").str.to_uppercase()
        """
        return self.wrap(call_tree("str.to_uppercase", self.tree))

    def to_lowercase(self) -> E:
        """In small letters.

        >>> col("a").str.to_lowercase()
        col("a").str.to_lowercase()
        """
        return self.wrap(call_tree("str.to_lowercase", self.tree))

    def to_titlecase(self) -> E:
        """Each word with a capital.

        >>> col("a").str.to_titlecase()
        col("a").str.to_titlecase()
        """
        return self.wrap(call_tree("str.to_titlecase", self.tree))

    def len_chars(self) -> E:
        """How many characters.

        >>> col("a").str.len_chars()
        col("a").str.len_chars()
        """
        return self.wrap(call_tree("str.len_chars", self.tree))

    def len_bytes(self) -> E:
        """How many bytes in UTF-8.

        >>> col("a").str.len_bytes()
        col("a").str.len_bytes()
        """
        return self.wrap(call_tree("str.len_bytes", self.tree))

    def strip_chars(self, characters: str | None = None) -> E:
        """Without white space, or without any of `characters`, at both ends.

        >>> col("a").str.strip_chars()
        col("a").str.strip_chars()
        """
        return self.wrap(call_tree("str.strip_chars", self.tree, characters=characters))

    def strip_chars_start(self, characters: str | None = None) -> E:
        """Without white space, or any of `characters`, at the start.

        >>> col("a").str.strip_chars_start()
        col("a").str.strip_chars_start()
        """
        return self.wrap(call_tree("str.strip_chars_start", self.tree, characters=characters))

    def strip_chars_end(self, characters: str | None = None) -> E:
        """Without white space, or any of `characters`, at the end.

        >>> col("a").str.strip_chars_end()
        col("a").str.strip_chars_end()
        """
        return self.wrap(call_tree("str.strip_chars_end", self.tree, characters=characters))

    def strip_prefix(self, prefix: str) -> E:
        """Without `prefix`, where it begins with it.

        >>> col("a").str.strip_prefix("x")
        col("a").str.strip_prefix(prefix='x')
        """
        return self.wrap(call_tree("str.strip_prefix", self.tree, prefix=prefix))

    def strip_suffix(self, suffix: str) -> E:
        """Without `suffix`, where it ends with it.

        >>> col("a").str.strip_suffix("x")
        col("a").str.strip_suffix(suffix='x')
        """
        return self.wrap(call_tree("str.strip_suffix", self.tree, suffix=suffix))

    def contains(self, pattern: str, *, literal: bool = False) -> E:
        """Whether the regular expression (of RE2) is found or, with `literal`, the very text.

        >>> col("a").str.contains("[0-9]+")
        col("a").str.contains(pattern='[0-9]+')
        """
        return self.wrap(call_tree("str.contains", self.tree, pattern=pattern, literal=literal))

    def starts_with(self, prefix: str) -> E:
        """Whether it begins with `prefix`.

        >>> col("a").str.starts_with("x")
        col("a").str.starts_with(prefix='x')
        """
        return self.wrap(call_tree("str.starts_with", self.tree, prefix=prefix))

    def ends_with(self, suffix: str) -> E:
        """Whether it ends with `suffix`.

        >>> col("a").str.ends_with("x")
        col("a").str.ends_with(suffix='x')
        """
        return self.wrap(call_tree("str.ends_with", self.tree, suffix=suffix))

    def find(self, pattern: str, *, literal: bool = False) -> E:
        """The byte at which the pattern is first found, null where it is not.

        >>> col("a").str.find("x")
        col("a").str.find(pattern='x')
        """
        return self.wrap(call_tree("str.find", self.tree, pattern=pattern, literal=literal))

    def count_matches(self, pattern: str, *, literal: bool = False) -> E:
        """How often the pattern is found, without overlap.

        >>> col("a").str.count_matches("x")
        col("a").str.count_matches(pattern='x')
        """
        return self.wrap(call_tree("str.count_matches", self.tree, pattern=pattern, literal=literal))

    def replace(self, pattern: str, value: str, *, literal: bool = False, n: int = 1) -> E:
        """The first `n` matches replaced by `value`, in which `$1` is the first group.

        >>> col("a").str.replace("a(.)", "$1")
        col("a").str.replace(pattern='a(.)', value='$1')
        """
        return self.wrap(call_tree("str.replace", self.tree, pattern=pattern, value=value, literal=literal, n=n))

    def replace_all(self, pattern: str, value: str, *, literal: bool = False) -> E:
        """Every match replaced by `value`, in which `$1` is the first group.

        >>> col("a").str.replace_all("a", "o")
        col("a").str.replace_all(pattern='a', value='o')
        """
        return self.wrap(call_tree("str.replace_all", self.tree, pattern=pattern, value=value, literal=literal))

    def split(self, by: str) -> E:
        """The parts between the occurrences of `by`, a list.

        >>> col("a").str.split(",")
        col("a").str.split(by=',')
        """
        return self.wrap(call_tree("str.split", self.tree, by=by))

    def slice(self, offset: int, length: int | None = None) -> E:
        """`length` characters from `offset` on, which counts from the end when negative.

        >>> col("a").str.slice(1, 2)
        col("a").str.slice(offset=1, length=2)
        """
        return self.wrap(call_tree("str.slice", self.tree, offset=offset, length=length))

    def head(self, n: int = 5) -> E:
        """The first `n` characters.

        >>> col("a").str.head(3)
        col("a").str.slice(offset=0, length=3)
        """
        return self.wrap(call_tree("str.slice", self.tree, offset=0, length=n))

    def tail(self, n: int = 5) -> E:
        """The last `n` characters.

        >>> col("a").str.tail(3)
        col("a").str.slice(offset=-3)
        """
        return self.wrap(call_tree("str.slice", self.tree, offset=-n))

    def extract(self, pattern: str, group_index: int = 1) -> E:
        """The text of a group (0 is the whole match) where the pattern is first found, else null.

        >>> col("a").str.extract("id=([0-9]+)")
        col("a").str.extract(pattern='id=([0-9]+)')
        """
        return self.wrap(call_tree("str.extract", self.tree, pattern=pattern, group_index=group_index))

    def pad_start(self, length: int, fill_char: str = " ") -> E:
        """At least `length` characters, filled up at the start.

        >>> col("a").str.pad_start(3, "0")
        col("a").str.pad_start(length=3, fill_char='0')
        """
        return self.wrap(call_tree("str.pad_start", self.tree, length=length, fill_char=fill_char))

    def pad_end(self, length: int, fill_char: str = " ") -> E:
        """At least `length` characters, filled up at the end.

        >>> col("a").str.pad_end(3, "0")
        col("a").str.pad_end(length=3, fill_char='0')
        """
        return self.wrap(call_tree("str.pad_end", self.tree, length=length, fill_char=fill_char))

    def zfill(self, length: int) -> E:
        """At least `length` characters, zeros after the sign.

        >>> col("a").str.zfill(3)
        col("a").str.zfill(length=3)
        """
        return self.wrap(call_tree("str.zfill", self.tree, length=length))

    def reverse(self) -> E:
        """The characters backwards.

        >>> col("a").str.reverse()
        col("a").str.reverse()
        """
        return self.wrap(call_tree("str.reverse", self.tree))

    def normalize(self, form: str = "NFC") -> E:
        """In one of the normal forms of Unicode: NFC, NFD, NFKC or NFKD.

        >>> col("a").str.normalize("NFKC")
        col("a").str.normalize(form='NFKC')
        """
        return self.wrap(call_tree("str.normalize", self.tree, form=form))

    def to_integer(self, *, base: int = 10, strict: bool = True) -> E:
        """The whole number that it writes, an int64; else an error or, when not `strict`, null.

        >>> col("a").str.to_integer(strict=False)
        col("a").str.to_integer(strict=False)
        """
        return self.wrap(call_tree("str.to_integer", self.tree, base=base, strict=strict))

    def to_date(self, format: str | None = None, *, strict: bool = True) -> E:  # noqa: A002 - Polars' word
        """The date that it writes, in ISO 8601 or a format of C's strptime; else an error or, when not `strict`, null.

        >>> col("a").str.to_date("%d.%m.%Y")
        col("a").str.to_date(format='%d.%m.%Y')
        """
        return self.wrap(call_tree("str.to_date", self.tree, format=format, strict=strict))

    def to_datetime(self, format: str | None = None, *, time_unit: str = "us", strict: bool = True) -> E:  # noqa: A002 - Polars' word
        """The timestamp that it writes, in ISO 8601 or a format of C's strptime; `%f` is a fraction, `%z` makes it UTC.

        >>> col("a").str.to_datetime()
        col("a").str.to_datetime()
        """
        return self.wrap(call_tree("str.to_datetime", self.tree, format=format, time_unit=time_unit, strict=strict))

    def decode(self, encoding: str, *, strict: bool = True) -> E:
        """The bytes that it writes in "hex" or "base64"; bad text is an error or, when not `strict`, null.

        >>> col("a").str.decode("hex")
        col("a").bin.decode(encoding='hex')
        """
        return self.wrap(call_tree("bin.decode", self.tree, encoding=encoding, strict=strict))

    upper = to_uppercase
    lower = to_lowercase
