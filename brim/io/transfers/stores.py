"""Stores: which store fetches a URL, by its scheme. A new kind of store is one entry where these are made."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Literal

from brim.errors import PlanError
from brim.io.object_stores.buckets import Buckets
from brim.io.object_stores.buffers import USUAL_BYTES, Buffers
from brim.io.object_stores.connections import Connections
from brim.io.object_stores.object_store import ObjectStore
from brim.io.object_stores.object_url import SCHEMES
from brim.io.object_stores.objects import Objects
from brim.io.object_stores.storage import StorageLike, storage_rules
from brim.io.transfers.egress import anywhere, public
from brim.io.transfers.file_store import FileStore
from brim.io.transfers.http_store import http_store
from brim.operators.protocol import Clock, Store, Threads
from brim.operators.safe_url import safe_url

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


@dataclass(frozen=True, slots=True)
class Stores:
    """The stores of an engine, by scheme; `objects` is what readers and writers do in object stores."""

    by_scheme: Mapping[str, Store]
    objects: Objects

    def store(self, url: str) -> Store:
        """The store for the scheme of `url`; a `PlanError` names the schemes there are."""
        match = _SCHEME.match(url)
        store = self.by_scheme.get(match[1].lower()) if match else None
        if store is None:
            known = ", ".join(f"{scheme}://" for scheme in self.by_scheme)
            raise PlanError(f"{safe_url(url)}: a URL begins with one of {known}")
        return store


@asynccontextmanager
async def open_stores(
    *,
    clock: Clock,
    random: Random,
    threads: Threads,
    max_connections: int,
    egress: Literal["any", "public"] = "any",
    storage: StorageLike = None,
    buffer_bytes: int = USUAL_BYTES,
) -> AsyncIterator[Stores]:
    """All stores of an engine; leaving the block closes their connections.

    `buffer_bytes` is what connections to object stores may hold of bodies at once, beyond what is lent.

    `egress` is about URLs that come with data. Under ``"public"`` such a URL may name an object only in a store that
    `storage` has options for: it is read with the operator's keys. Where that store is, is the operator's own say.
    """
    rule = public if egress == "public" else anywhere
    buckets = Buckets(storage_rules(storage))
    async with http_store(clock=clock, random=random, max_connections=max_connections, egress=rule) as http:
        connections = Connections(http, clock, random)
        by_scheme: dict[str, Store] = {"https": http, "http": http, "file": FileStore(threads, allowed=egress == "any")}
        objects = ObjectStore(buckets, connections, Buffers(buffer_bytes), anywhere=egress == "any")
        yield Stores({**by_scheme, **dict.fromkeys(SCHEMES, objects)}, Objects(buckets, connections))
