"""Cases of sinks: files and folders of each format, made, added to and replaced, here and in an object store."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

import brim
from brim import col
from brim.sizes import KIB, MIB

from .case import Case, Make
from .operators import flat, rows
from .targets import OUT, InFolder, InStore
from .world import World

BEFORE = "id,key,text\n1,1,before\n"
SUFFIX = {"parquet": ".parquet", "csv": ".csv", "json": ".jsonl", "arrow": ".arrow"}


def write(world: World, kind: str, name: str, **options: Any) -> brim.Pipeline:
    """All rows in a file, or in a folder where `name` has no suffix."""
    return getattr(flat(world), f"write_{kind}")(world.out / name, **options)


def store(world: World, kind: str, name: str, **options: Any) -> brim.Pipeline:
    """As `write`, in the store."""
    return getattr(flat(world), f"write_{kind}")(f"{world.s3.root}/{OUT}/{name}", storage=world.s3.storage, **options)


def bodies(world: World, rows_: int) -> brim.Pipeline:
    """A name and a body in each row."""
    return rows(world).limit(rows_).select("text", data=col("text").cast(pa.binary()))


def _parts(world: World) -> brim.Pipeline:
    parts = flat(world).with_columns(part=col("key") % 3)
    return parts.write_parquet(world.out / "rows", partition_by="part")


def _files_in_store(world: World) -> brim.Pipeline:
    place = f"{world.s3.root}/{OUT}/rows"
    return bodies(world, 30).write_files(place, name="text", data="data", storage=world.s3.storage)


HERE: dict[str, Make] = {
    **{
        f"write_{kind}": lambda world, kind=kind, suffix=suffix: write(world, kind, f"rows{suffix}")
        for kind, suffix in SUFFIX.items()
    },
    "write several files": lambda world: write(world, "csv", "rows", max_file_bytes="20KiB"),
    "write partitions": _parts,
    "write_files": lambda world: bodies(world, 120).write_files(world.out / "rows", name="text", data="data"),
}
CHANGING: dict[str, Make] = {
    "append": lambda world: write(world, "csv", "rows", mode="append", max_file_bytes="20KiB"),
    "overwrite": lambda world: write(world, "csv", "rows", mode="overwrite", max_file_bytes="20KiB"),
}
STORED: dict[str, Make] = {
    "write_parquet to a store": lambda world: store(world, "parquet", "rows.parquet"),
    "write several files to a store": lambda world: store(world, "csv", "rows", max_file_bytes="20KiB"),
    "write_files to a store": _files_in_store,
}
CASES = (
    *(Case(name, make, kind="I/O", target=InFolder()) for name, make in HERE.items()),
    *(Case(name, make, kind="I/O", target=InFolder(BEFORE)) for name, make in CHANGING.items()),
    *(
        Case(name, make, kind="I/O", memory=256 * MIB, batch_bytes=64 * KIB, target=InStore(), stores=True)
        for name, make in STORED.items()
    ),
)
