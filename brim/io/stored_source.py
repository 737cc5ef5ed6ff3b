"""Stored source: a source whose files are in object stores, and with which options they are reached.

Input    none
Output   what the source inside yields
Order    that of the source inside
Holds    what the source inside holds; the windows of open files are in its decoder's bytes
Fails    as the source inside, and with `TransferFailed`
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from brim.io.files.open_file import opening_with
from brim.io.object_stores.opener import thread_opener
from brim.io.object_stores.storage import StorageRules
from brim.io.source import Source
from brim.io.transfers.stores import Stores
from brim.operators.expressions.tree import Tree
from brim.operators.protocol import Inbox, Operator, Outbox, Stage


@dataclass(frozen=True, slots=True)
class StoredSource:
    """`inner`, read with the options of `rules` before those of the engine."""

    inner: Source
    rules: StorageRules

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def place(self) -> str:
        return self.inner.place

    @property
    def schema(self) -> pa.Schema:
        return self.inner.schema

    @property
    def one_shot(self) -> bool:
        return self.inner.one_shot

    @property
    def rows(self) -> int | None:
        return self.inner.rows

    def with_columns(self, names: tuple[str, ...]) -> StoredSource:
        return replace(self, inner=self.inner.with_columns(names))

    def with_limit(self, rows: int) -> StoredSource:
        return replace(self, inner=self.inner.with_limit(rows))

    def with_filters(self, predicates: tuple[Tree, ...]) -> StoredSource:
        return replace(self, inner=self.inner.with_filters(predicates))

    def operator(self) -> Operator:
        return StoredScan(self.inner.operator(), self.rules)


@dataclass(frozen=True, slots=True)
class StoredScan:
    """Run `scan`, whose threads open objects by way of the engine's stores."""

    scan: Operator
    rules: StorageRules

    def window_bytes(self, batch_bytes: int) -> int:
        return self.scan.window_bytes(batch_bytes)

    def floor_bytes(self, batch_bytes: int) -> int:
        return self.scan.floor_bytes(batch_bytes)

    async def run(self, inboxes: Sequence[Inbox], outbox: Outbox, stage: Stage) -> None:
        assert isinstance(stage.stores, Stores), "an engine has object stores"
        objects = stage.stores.objects.with_rules(self.rules)
        async with thread_opener(objects) as opener:
            with opening_with(opener):
                await self.scan.run(inboxes, outbox, stage)
