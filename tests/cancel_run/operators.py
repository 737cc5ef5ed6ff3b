"""Cases of operators that compute, in memory and with the least memory there is, where they spill."""

from __future__ import annotations

import pyarrow as pa

import brim
from brim import col
from brim.sizes import KIB

from .case import Case, Make
from .world import World


def rows(world: World) -> brim.Pipeline:
    return brim.from_arrow(world.table)


def flat(world: World) -> brim.Pipeline:
    return brim.from_arrow(world.flat)


def other(world: World) -> brim.Pipeline:
    """A right side: half of the keys, some of them twice."""
    table = world.flat.select(["key", "text"])
    return brim.from_arrow(pa.concat_tables([table.slice(0, 600), table.slice(300, 500)]))


def shuffled(world: World) -> brim.Pipeline:
    """A right side as large as the left one."""
    return brim.from_arrow(world.flat.select(["key", "text"])).sample(0.8, seed=2)


def few(world: World) -> brim.Pipeline:
    return brim.from_arrow(world.flat.slice(0, 60))


JOINS = ("inner", "left", "right", "full", "semi", "anti")
STREAMING: dict[str, Make] = {
    "filter": lambda world: rows(world).filter(col("id") % 3 == 0),
    "project": lambda world: rows(world).select("id", twice=col("key") * 2, upper=col("text").str.to_uppercase()),
    "explode": lambda world: rows(world).explode("tags"),
    "limit": lambda world: rows(world).limit(1500),
    "offset": lambda world: rows(world).offset(500),
    "sample": lambda world: rows(world).sample(0.5, seed=1),
    "unpivot": lambda world: flat(world).unpivot(["id", "key"], index="text"),
    "into_batches": lambda world: rows(world).into_batches(30),
    "concat": lambda world: flat(world).concat(flat(world).filter(col("id") < 500), few(world)),
    "aggregate": lambda world: rows(world).agg(col("key").sum(), n=col("id").count(), most=col("text").max()),
    **{f"join {how}": lambda world, how=how: flat(world).join(other(world), on="key", how=how) for how in JOINS},
    "join cross": lambda world: flat(world).join(few(world), how="cross").limit(20_000),
    "sort and limit": lambda world: rows(world).sort("text", descending=True).limit(200),
}
MATERIALISING: dict[str, Make] = {
    "sort": lambda world: rows(world).sort("key", "id"),
    "group_by": lambda world: flat(world).group_by("text").agg(col("id").sum(), last=col("key").max()),
    "group_by lists": lambda world: flat(world).group_by("key").agg(texts=col("text").list()),
    "distinct": lambda world: flat(world).distinct(),
    "repartition": lambda world: rows(world).repartition(4),
    "repartition by key": lambda world: rows(world).repartition(4, by="key"),
    **{
        f"join {how}, by parts": lambda world, how=how: flat(world).join(shuffled(world), on="text", how=how)
        for how in JOINS
    },
}
INFLATING: dict[str, Make] = {
    "decompress": lambda world: brim.from_arrow(world.packed).with_columns(body=col("body").bin.decompress("gzip")),
    "images": lambda world: brim.from_arrow(world.pictures).select(
        picture=col("picture").image.decode(mode="RGB").image.resize(32, 32)
    ),
    "images to tensors": lambda world: brim.from_arrow(world.pictures).select(
        "id", picture=col("picture").image.decode(mode="RGB").image.resize(24, 24).image.to_tensor()
    ),
}
CASES = (
    *(Case(name, make) for name, make in (STREAMING | MATERIALISING).items()),
    *(Case(name, make, batch_bytes=64 * KIB) for name, make in INFLATING.items()),
    *(
        Case(f"{name}, spilling", make, memory=None, spills=True, batch_bytes=2 * KIB)
        for name, make in MATERIALISING.items()
    ),
    Case("rows larger than a batch", lambda world: brim.from_arrow(world.large).filter(col("id") >= 0), memory=None),
    Case("an engine of its own", lambda world: few(world).filter(col("id") > 3).sort("key"), owned=True),
)
