"""Download: the bodies of a column of URLs, as a new column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import pyarrow as pa

from brim.errors import PlanError, SchemaMismatch


@dataclass(frozen=True, slots=True)
class Download:
    """How `.url.download()` fetches: what was declared.

    Attributes:
        max_connections: transfers at once, exactly; the engine's own limit caps it.
        max_bytes: the most a body may weigh; None is what memory allows.
        on_error: whether a row that cannot be fetched fails the run or becomes null.
        timeout_s: seconds an attempt may take while brim is ready to read; None is without end.
        retries: attempts after the first, for what is worth trying again.
        headers: sent with each request of `http` and `https`, as (name, value); never to another origin.
    """

    max_connections: int = 32
    max_bytes: int | None = None
    on_error: Literal["raise", "null"] = "raise"
    timeout_s: float | None = 60.0
    retries: int = 3
    headers: tuple[tuple[str, str], ...] = ()
    name: ClassVar[str] = "download"

    def __post_init__(self) -> None:
        if self.max_connections < 1:
            raise PlanError(f"max_connections is at least 1, not {self.max_connections}")
        if self.max_bytes is not None and self.max_bytes < 0:
            raise PlanError(f"max_bytes is not negative, as {self.max_bytes} is")
        if self.on_error not in ("raise", "null"):
            raise PlanError(f'on_error is "raise" or "null", not {self.on_error!r}')
        if self.timeout_s is not None and self.timeout_s <= 0:
            raise PlanError(f"timeout_s is positive, not {self.timeout_s}")
        if self.retries < 0:
            raise PlanError(f"retries is not negative, as {self.retries} is")

    def returns(self, types: tuple[pa.DataType, ...]) -> pa.DataType:
        """`large_binary` for a column of strings."""
        if len(types) != 1 or not (pa.types.is_string(types[0]) or pa.types.is_large_string(types[0])):
            found = ", ".join(map(str, types)) or "nothing"
            raise SchemaMismatch("download", "a column of URLs (string)", found)
        return pa.large_binary()
