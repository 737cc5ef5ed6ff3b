"""The keys of rows that come in several parts, as words of 64 bits; rows with a null key have none.

A single number is its own word; where numbers lie close together their span says so, and a table can have a place for
each. Everything else is hashed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyarrow import types

from brim.operators.keys.hashes import hash_rows, is_exact
from brim.operators.keys.views import Mask, Places, Words, fixed_values, is_fixed, valid_rows

MOST_SPAN = 4
"""Times the rows that a span may be: a hash table takes 16 to 24 bytes a row, and two to three times as long."""


@dataclass(frozen=True, slots=True)
class KeySpan:
    """`words` words from `least` on, all modulo 2**64."""

    least: int
    words: int


@dataclass(frozen=True, slots=True)
class KeyParts:
    """`parts` are the key columns of each part, of the same types in all."""

    parts: Sequence[Sequence[pa.Array]]
    span: KeySpan | None

    @classmethod
    def of(cls, parts: Sequence[Sequence[pa.Array]]) -> KeyParts:
        return cls(parts, _span([part[0] for part in parts]) if parts and len(parts[0]) == 1 else None)

    @property
    def rows(self) -> int:
        return sum(len(part[0]) for part in self.parts)

    @property
    def exact(self) -> bool:
        """Whether rows are equal exactly when their words are."""
        return all(is_exact(part) for part in self.parts)

    @property
    def nulls(self) -> bool:
        """Whether there is a row with a null key."""
        return any(column.null_count for part in self.parts for column in part)

    def words(self) -> Iterator[Words]:
        """The words of the rows that have one, part by part."""
        for part in self.parts:
            words, valid = words_of(part, spanned=self.span is not None), valid_keys(part)
            yield words if valid is None else words[valid]

    def valid(self) -> Places | None:
        """The rows that have a word; None where all have."""
        if not self.nulls:
            return None
        masks = [valid_keys(part) for part in self.parts]
        flags = [
            np.ones(len(part[0]), np.bool_) if mask is None else mask
            for part, mask in zip(self.parts, masks, strict=True)
        ]
        return np.flatnonzero(np.concatenate(flags)).astype(np.int32)

    def is_unique(self, most_bytes: int) -> bool:
        """Whether no word is there twice; False where more than `most_bytes` would be needed to know."""
        if self.span is None or self.span.words > most_bytes:
            return False
        seen, count = np.zeros(self.span.words, np.bool_), 0
        for words in self.words():
            seen[(words - np.uint64(self.span.least)).view(np.int64)] = True
            count += len(words)
        return int(np.count_nonzero(seen)) == count


def words_of(keys: Sequence[pa.Array], *, spanned: bool) -> Words:
    """A word for each row, to be looked up where keys are `spanned` or are not; those of null keys say nothing."""
    if not spanned:
        return hash_rows(keys)
    values = fixed_values(keys[0])
    return values.astype(np.uint64 if values.dtype.kind == "u" else np.int64, copy=False).view(np.uint64)


def valid_keys(keys: Sequence[pa.Array]) -> Mask | None:
    """Whether all keys of a row are there; None where no key is null."""
    masks = [mask for column in keys if (mask := valid_rows(column)) is not None]
    return np.logical_and.reduce(masks) if masks else None


def _span(columns: Sequence[pa.Array]) -> KeySpan | None:
    """The span of one key; None where it is too wide, or values are not numbers."""
    kind = columns[0].type
    if not is_fixed(kind) or types.is_floating(kind):
        return None
    ends = [_ends(column) for column in columns if column.null_count < len(column)]
    least, most = min((end[0] for end in ends), default=0), max((end[1] for end in ends), default=0)
    span = most - least + 1
    return KeySpan(least % (1 << 64), span) if span <= MOST_SPAN * sum(map(len, columns)) else None


def _ends(column: pa.Array) -> tuple[int, int]:
    values, valid = fixed_values(column), valid_rows(column)
    values = values if valid is None else values[valid]
    return int(values.min()), int(values.max())
