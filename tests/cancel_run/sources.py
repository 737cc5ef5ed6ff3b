"""Cases of sources: files, iterables, a server of bodies, an object store."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import brim
from brim import col
from brim.sizes import KIB, MIB

from .case import Case, Make
from .world import World


async def _later(world: World) -> Any:
    world.readers += 1
    try:
        for batch in world.table.to_batches(max_chunksize=100):
            await asyncio.sleep(0)
            yield batch
    finally:
        world.readers -= 1


def _now(world: World) -> Any:
    world.readers += 1
    try:
        yield from world.table.to_batches(max_chunksize=100)
    finally:
        world.readers -= 1


def _batches(iterate: Any, world: World) -> brim.Pipeline:
    return brim.from_batches(partial(iterate, world), world.table.schema)


def _bodies(kind: str, world: World) -> brim.Pipeline:
    return brim.from_arrow(world.urls(kind)).select(body=col("url").url.download(max_connections=8))


def _stored(world: World) -> brim.Pipeline:
    urls = [f"{world.s3.root}/files/rows.{kind}" for kind in ("parquet", "csv", "arrow") * 5]
    return brim.from_pydict({"url": urls}).select(body=col("url").url.download(max_connections=4))


def _from_store(kind: str, world: World, **options: Any) -> brim.Pipeline:
    read = {"parquet": brim.read_parquet, "csv": brim.read_csv, "arrow": brim.read_arrow}[kind]
    return read(f"{world.s3.root}/files/rows.{kind}", storage=world.s3.storage, **options)


HERE: dict[str, Make] = {
    "read_parquet": lambda world: brim.read_parquet(world.file("parquet")),
    "read_csv": lambda world: brim.read_csv(world.file("csv")),
    "read_json": lambda world: brim.read_json(world.file("json")),
    "read_arrow": lambda world: brim.read_arrow(world.file("arrow")),
    "read_text": lambda world: brim.read_text(world.file("txt")),
    "read_files": lambda _: brim.read_files(Path(__file__).parent.parent),
    "from_batches, async": partial(_batches, _later),
    "from_batches, an iterator": partial(_batches, _now),
    "range": lambda _: brim.range(20_000),
    "download": partial(_bodies, "sized"),
    "download of unknown length": partial(_bodies, "chunked"),
}
STORED: dict[str, Make] = {
    "read_parquet from a store": partial(_from_store, "parquet"),
    "read_csv from a store": lambda world: _from_store("csv", world, schema=world.flat.schema),
    "read_arrow from a store": partial(_from_store, "arrow"),
    "download from a store": _stored,
}
LEAST = ("download", "download of unknown length")
CASES = (
    *(Case(name, make, kind="I/O") for name, make in HERE.items()),
    *(Case(f"{name}, least memory", HERE[name], kind="I/O", memory=None) for name in LEAST),
    *(
        Case(name, make, kind="I/O", memory=256 * MIB, batch_bytes=64 * KIB, stores=True)
        for name, make in STORED.items()
    ),
)
