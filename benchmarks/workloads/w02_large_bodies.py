"""W2: download 200 bodies of 16 MB and keep the length of each."""

from __future__ import annotations

from pathlib import Path

from benchmarks.brim_run import only_row
from benchmarks.workload import Answer, Job, Workload

COUNT, SIZE = 200, 16_000_000
SEED = 7
CONNECTIONS = 16
BATCH = 8


def brim(job: Job) -> Answer:
    return brim_lengths(job, CONNECTIONS)


def daft(job: Job) -> Answer:
    return daft_lengths(job, CONNECTIONS, rows=8)


def brim_lengths(job: Job, connections: int) -> Answer:
    """The sum and the number of the lengths of what lies at `job.urls`."""
    import brim
    from brim import col

    pipeline = (
        brim.read_parquet(job.urls)
        .select(size=col("url").url.download(max_connections=connections).bin.size())
        .agg(bytes=col("size").sum(), rows=col("size").count())
    )
    return only_row(pipeline, job)


def daft_lengths(job: Job, connections: int, rows: int | None = None) -> Answer:
    """As `brim_lengths`; `into_batches` keeps fewer bodies in memory, as Daft's page on memory advises."""
    import daft
    from daft import col

    frame = daft.read_parquet(job.urls)
    if rows is not None:
        frame = frame.into_batches(rows)
    frame = frame.select(col("url").download(max_connections=connections).length().alias("size"))
    found = frame.agg(col("size").sum().alias("bytes"), col("size").count().alias("rows")).to_pylist()
    return dict(found[0])


def ray(job: Job) -> Answer:
    return ray_lengths(job)


def ray_lengths(job: Job) -> Answer:
    """As `brim_lengths`; how many connections there are is Ray's own affair."""
    import ray
    from ray.data.expressions import download

    from benchmarks.ray_run import BLOCKS, sizes, totals

    bodies = ray.data.read_parquet(job.urls, override_num_blocks=BLOCKS).with_column("body", download("url"))
    return totals(bodies.map_batches(sizes, fn_args=("body",), batch_format="pyarrow", batch_size=BATCH))


def make(cache: Path, scale: float) -> Path:
    from benchmarks.data.bodies import body

    return body(cache, round(SIZE * scale), SEED)


def served(_: Path) -> list[str]:
    from benchmarks.data.bodies import NAME

    return [f"same/{NAME}/{number}" for number in range(COUNT)]


def check(answer: Answer, job: Job) -> None:
    from benchmarks.data.bodies import NAME

    size = (Path(job.data) / NAME).stat().st_size
    assert answer == {"bytes": COUNT * size, "rows": COUNT}, answer


WORKLOAD = Workload(
    "w2",
    "200 bodies of 16 MB downloaded, the length kept",
    make,
    {"brim": brim, "daft": daft, "ray": ray},
    check,
    served=served,
    target=1.5,
)
