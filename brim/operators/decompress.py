"""Decompress: what `.bin.decompress` declares."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from brim.errors import SchemaMismatch
from brim.sizes import MIB

MAX_BYTES = 256 * MIB


@dataclass(frozen=True, slots=True)
class Decompress:
    """Decompress every value of a column; one that would grow beyond `max_bytes` is a `LimitExceeded`."""

    codec: str
    max_bytes: int = MAX_BYTES

    @property
    def name(self) -> str:
        """As `explain` shows it."""
        return f"decompress.{self.codec}"

    def returns(self, types: tuple[pa.DataType, ...]) -> pa.DataType:
        """`large_binary`; `SchemaMismatch` unless the one type in `types` is binary."""
        (type_,) = types
        if not (pa.types.is_binary(type_) or pa.types.is_large_binary(type_)):
            raise SchemaMismatch("bin.decompress", "binary", str(type_))
        return pa.large_binary()
