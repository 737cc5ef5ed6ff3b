"""A first program: photographs behind URLs become thumbnails and vectors in a Parquet file, within 256 MiB."""

from __future__ import annotations

import pyarrow as pa

import brim
from brim import col
from brim.demo.photo_server import photo_server


@brim.udf(returns=pa.list_(pa.float32(), 3), batch_size=32, concurrency=2)
def colours(thumbs: pa.Array) -> pa.Array:
    """The mean red, green and blue of each thumbnail, in a worker process; a model would go here."""
    means = thumbs.to_numpy_ndarray().mean(axis=(1, 2))
    return pa.FixedSizeListArray.from_arrays(means.astype("float32").ravel(), 3)


def thumbnails(urls: list[str]) -> brim.Pipeline:
    """Declares what is to be done; nothing runs yet."""
    return (
        brim.from_pydict({"url": urls})
        .with_columns(photo=col("url").url.download(max_connections=16, on_error="null"))
        .with_columns(thumb=col("photo").image.decode("RGB", on_error="null").image.resize(64, 64))
        .filter(col("thumb").is_not_null())
        .select("url", colour=colours(col("thumb")), jpeg=col("thumb").image.encode("jpeg"))
        .write_parquet("thumbnails.parquet", mode="overwrite")
    )


def main() -> None:
    with photo_server(count=24, seed=7) as server:
        pipeline = thumbnails(server.urls)
        print(pipeline.explain(memory="256MiB"))
        print(pipeline.run_blocking(memory="256MiB"))
    brim.read_parquet("thumbnails.parquet").select("url", "colour").show(3)


if __name__ == "__main__":
    main()
