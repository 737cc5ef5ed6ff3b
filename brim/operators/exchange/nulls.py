"""Arrays of nulls, of any type."""

from __future__ import annotations

import pyarrow as pa

from brim.arrow_pool import arrow_pool


def nulls(count: int, kind: pa.DataType) -> pa.Array:
    """`count` nulls of `kind`, an extension type too."""
    if isinstance(kind, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(kind, pa.nulls(count, kind.storage_type))
    return pa.nulls(count, kind, memory_pool=arrow_pool())
