"""What tells an operator that materialises from others."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class Materialises(Protocol):
    """An operator that keeps its rows, in memory or on disk, until its input has ended."""

    @property
    def materialises(self) -> bool: ...
