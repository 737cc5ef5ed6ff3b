"""W1, the main job: download 1,000 photographs, decode them, scale them to 224 x 224, a vector of each, Parquet.

The function makes 147 floats of an image: the mean of each of 7 x 7 tiles in each of 3 channels. It runs in two worker
processes. What is written is checked against Pillow: 147 floats a row, and close to those of the plain way.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.brim_run import OPEN
from benchmarks.workload import Answer, Job, Workload

if TYPE_CHECKING:
    from brim import Pipeline

SIDE, TILES = 224, 7
FLOATS = TILES * TILES * 3
SEED = 7
CONNECTIONS = 32
BATCH = 32
DAFT_BATCH = 16
"""The best of 16, 32, 64 and none, here and in `into_batches`, though all were within a tenth."""
CHECKED = 5
CLOSE = 4.0
"""The mean difference, of 255, that different ways to scale a picture down may make."""


def pooled(images: np.ndarray) -> np.ndarray:
    """Images of shape (n, 224, 224, 3) as vectors of shape (n, 147): the mean of each tile."""
    count, step = len(images), SIDE // TILES
    sums = np.add.reduceat(images, range(0, SIDE, step), axis=1, dtype=np.uint32)
    sums = np.add.reduceat(sums, range(0, SIDE, step), axis=2)
    return (sums.reshape(count, FLOATS) / step**2).astype(np.float32)


def vectors(images: Any) -> pa.Array:
    """`pooled` of an Arrow array of tensors (brim's and Daft's alike) as lists of floats."""
    pixels = np.from_dlpack(images.storage.flatten())  # a view; `to_numpy` would import pandas where it is installed
    flat = pooled(pixels.reshape(len(images), SIDE, SIDE, 3)).ravel()
    return pa.ListArray.from_arrays(np.arange(0, len(flat) + 1, FLOATS, dtype=np.int32), flat)


def brim(job: Job) -> Answer:
    pipeline = declared(job.urls, job.out)
    job.mark(OPEN)
    report = pipeline.run_blocking(memory=job.memory, processes=2)
    return {"report": report.to_dict()}


def declared(urls: str, out: str) -> Pipeline:
    """The work in brim's words, from a file of `id`, `url` to a folder."""
    import brim
    from brim import col

    vector = brim.udf(returns=pa.list_(pa.float32()), batch_size=BATCH, concurrency=2)(vectors)
    return (
        brim.read_parquet(urls)
        .with_columns(body=col("url").url.download(max_connections=CONNECTIONS))
        .with_columns(thumb=col("body").image.decode(mode="RGB").image.resize(SIDE, SIDE))
        .with_columns(vector=vector(col("thumb")))
        .select("id", "vector")
        .write_parquet(out)
    )


def daft(job: Job) -> Answer:
    """Daft 0.7: a class with two processes, as its page on functions advises; `into_batches` starts the chain early."""
    import daft
    from daft import DataType, col

    @daft.cls(max_concurrency=2, use_process=True)
    class Vectors:
        @daft.method.batch(return_dtype=DataType.list(DataType.float32()), batch_size=DAFT_BATCH)
        def of(self, images: daft.Series) -> pa.Array:
            return vectors(images.to_arrow())

    (
        daft.read_parquet(job.urls)
        .into_batches(DAFT_BATCH)
        .with_column("body", col("url").download(max_connections=CONNECTIONS))
        .with_column("thumb", col("body").decode_image(mode="RGB").resize(SIDE, SIDE))
        .with_column("vector", Vectors().of(col("thumb")))
        .select("id", "vector")
        .write_parquet(job.out)
    )
    return {}


def ray(job: Job) -> Answer:
    """Ray Data 2.60: tasks throughout, since the function has no state; Pillow decodes, as in its page on images."""
    import ray
    from ray.data.expressions import download

    from benchmarks.ray_run import BLOCKS

    (
        ray.data.read_parquet(job.urls, override_num_blocks=BLOCKS)
        .with_column("body", download("url"))
        .map_batches(_decoded, batch_format="pyarrow", batch_size=BATCH)
        .map_batches(_of_pixels, batch_format="numpy", batch_size=BATCH)
        .write_parquet(job.out)
    )
    return {}


def _decoded(batch: pa.Table) -> dict[str, np.ndarray]:
    from PIL import Image

    pixels = np.empty((batch.num_rows, SIDE, SIDE, 3), np.uint8)
    for number, body in enumerate(batch["body"].to_pylist()):
        with Image.open(io.BytesIO(body)) as picture:
            pixels[number] = picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return {"id": batch["id"].to_numpy(), "thumb": pixels}


def _of_pixels(batch: dict[str, np.ndarray]) -> pa.Table:
    flat = pooled(batch["thumb"]).ravel()
    vector = pa.ListArray.from_arrays(np.arange(0, len(flat) + 1, FLOATS, dtype=np.int32), flat)
    return pa.table({"id": batch["id"], "vector": vector})


def make(cache: Path, scale: float) -> Path:
    from benchmarks.data.photographs import photographs

    return photographs(cache, round(1000 * scale), SEED)


def served(data: Path) -> list[str]:
    return sorted(path.name for path in data.glob("*.jpg"))


def check(_: Answer, job: Job) -> None:
    table = pa.concat_tables(pq.read_table(path) for path in sorted(Path(job.out).rglob("*.parquet"))).sort_by("id")
    names = served(Path(job.data))
    assert table["id"].to_pylist() == list(range(len(names))), f"{table.num_rows} rows, not {len(names)}"
    found = table["vector"].combine_chunks().cast(pa.list_(pa.float32()))
    assert set(found.value_lengths().to_pylist()) == {FLOATS}, "a vector that has not 147 floats"
    values = found.flatten().to_numpy(zero_copy_only=False).reshape(-1, FLOATS)
    for number in range(CHECKED):
        difference = float(np.abs(values[number] - _plainly(Path(job.data) / names[number])).mean())
        assert difference < CLOSE, f"{names[number]}: the vector is {difference:.1f} off on average"


def _plainly(path: Path) -> np.ndarray:
    from PIL import Image

    with Image.open(io.BytesIO(path.read_bytes())) as picture:
        small = picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return pooled(np.asarray(small)[None])[0]


WORKLOAD = Workload(
    "w1",
    "1,000 JPEG of 1280 x 853 downloaded, decoded, scaled to 224 x 224, 147 floats of each in 2 processes, Parquet",
    make,
    {"brim": brim, "daft": daft, "ray": ray},
    check,
    served=served,
    target=2.5,
)
