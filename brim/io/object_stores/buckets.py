"""Buckets: the clients of an engine, one for each bucket and its options, made when they are first used."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import anyio.to_thread

from brim.errors import TransferFailed
from brim.io.object_stores.client import open_bucket
from brim.io.object_stores.object_url import ObjectUrl, object_url
from brim.io.object_stores.storage import Storage, StorageRules
from brim.operators.safe_url import safe_url

_Key = tuple[str, Storage, bool]


@dataclass(eq=False, slots=True)
class Buckets:
    """Clients by bucket and options. `rules` are the engine's; a reader's own come before them."""

    rules: StorageRules = field(default_factory=StorageRules)
    _clients: dict[_Key, Any] = field(default_factory=dict)

    def place(self, url: str) -> ObjectUrl:
        """The parts of `url`; `TransferFailed` where it is none."""
        try:
            return object_url(url)
        except ValueError as error:
            raise TransferFailed(safe_url(url), str(error)) from None

    async def client(self, place: ObjectUrl, rules: StorageRules | None = None, *, writes: bool = False) -> Any:
        """The client for `place`. Made in a thread: certificates, and profiles of a user, are read from disk."""
        root = place.root
        storage = (rules.find(root) if rules is not None else None) or self.rules.find(root) or Storage()
        key = (root, storage, writes)
        if key not in self._clients:
            made = await anyio.to_thread.run_sync(_make, place, storage, writes)
            self._clients.setdefault(key, made)
        return self._clients[key]


def _make(place: ObjectUrl, storage: Storage, writes: bool) -> Any:
    return open_bucket(place.scheme, place.bucket, storage, writes=writes)
