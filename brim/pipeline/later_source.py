"""Later source: a source in an object store, which is looked at when its columns are first needed, and once.

    declared ──► needed by a step that asks for the schema ──► looked at in a loop of its own, in a thread
            ├──► `await p.resolve()` ──► looked at in the running loop, its blocking part in a thread
            └──► run ──► looked at by the engine, with its connections and options

A look has a deadline. In a running event loop nobody looks without being awaited.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import ClassVar

import anyio
import anyio.to_thread
import pyarrow as pa

from brim.errors import PlanError, TransferTimeout
from brim.io.files.open_file import opening_with
from brim.io.object_stores.opener import ThreadOpener, thread_opener
from brim.io.object_stores.storage import StorageRules
from brim.io.source import Source
from brim.io.stored_source import StoredSource
from brim.io.transfers.stores import Stores, open_stores
from brim.operators.expressions.tree import Tree
from brim.operators.protocol import Operator
from brim.operators.protocol import Stores as AnyStores
from brim.operators.safe_url import safe_url
from brim.pipeline.compute_threads import open_threads
from brim.pipeline.nodes import Node, Scan, inputs_of, transform
from brim.pipeline.own_loop import own_loop
from brim.pipeline.world import LoopClock

LOOK_S = 120.0
_CONNECTIONS = 8


@dataclass(eq=False, slots=True)
class LaterSource:
    """A reader's files in object stores. `open` makes the source inside; it blocks, in a thread of a loop.

    `found` is what a look has found; a look by a step that needs the columns is kept here.
    """

    name: str
    place: str
    rules: StorageRules
    open: Callable[[], Source]
    found: StoredSource | None = None
    later: ClassVar[bool] = True

    @property
    def schema(self) -> pa.Schema:
        return self.looked().schema

    @property
    def one_shot(self) -> bool:
        return False

    @property
    def rows(self) -> int | None:
        return self.looked().rows

    def with_columns(self, names: tuple[str, ...]) -> StoredSource:
        return self.looked().with_columns(names)

    def with_limit(self, rows: int) -> StoredSource:
        return self.looked().with_limit(rows)

    def with_filters(self, predicates: tuple[Tree, ...]) -> StoredSource:
        return self.looked().with_filters(predicates)

    def operator(self) -> Operator:
        return self.looked().operator()

    def looked(self) -> StoredSource:
        """The source, looked at now if it was not; blocks, so a running event loop is refused."""
        if self.found is None:
            self._refuse_in_loop()
            with own_loop() as portal:
                portal.call(self.look_alone)
        assert self.found is not None
        return self.found

    async def look_alone(self) -> StoredSource:
        """Look outside any engine."""
        clock = LoopClock()
        async with (
            open_threads(1, clock.now) as threads,
            open_stores(
                clock=clock,
                random=Random(),  # noqa: S311 - jitter, no secrets
                threads=threads,
                max_connections=_CONNECTIONS,
            ) as stores,
        ):
            return await self.look(stores)

    async def look(self, stores: Stores) -> StoredSource:
        """Look by way of `stores`."""
        if self.found is None:
            try:
                with anyio.fail_after(LOOK_S):
                    async with thread_opener(stores.objects.with_rules(self.rules)) as opener:
                        inner = await anyio.to_thread.run_sync(self._open_with, opener)
            except TimeoutError as error:
                raise TransferTimeout(safe_url(self.place), f"{self.name}: no answer within {LOOK_S:g} s") from error
            self.found = StoredSource(inner, self.rules)
        return self.found

    def _open_with(self, opener: ThreadOpener) -> Source:
        with opening_with(opener):
            return self.open()

    def _refuse_in_loop(self) -> None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return
        raise PlanError(
            f"{self.name}: the columns of {safe_url(self.place)} are not known yet, and looking would hold up the "
            f"running event loop; use `await brim.{self.name}(...).resolve()`, or say schema="
        )


def needs_look(node: Node) -> bool:
    """Whether `node` has a source that was not looked at."""
    later = _later(node)
    return (later is not None and later.found is None) or any(map(needs_look, inputs_of(node)))


async def resolve(node: Node, stores: AnyStores | None = None) -> Node:
    """`node` with all its sources looked at, by way of `stores` where there are some."""
    todo = [node]
    while todo:
        current = todo.pop()
        todo.extend(inputs_of(current))
        if (later := _later(current)) is not None:
            await (later.look_alone() if stores is None else later.look(_concrete(stores)))
    return transform(node, _settled)


def _concrete(stores: AnyStores) -> Stores:
    assert isinstance(stores, Stores), "an engine has object stores"
    return stores


def _later(node: Node) -> LaterSource | None:
    """The source of `node`, where it was declared to be looked at later."""
    return node.source if isinstance(node, Scan) and isinstance(node.source, LaterSource) else None


def _settled(node: Node) -> Node:
    later = _later(node)
    return node if later is None else Scan(node.id, later.looked())
