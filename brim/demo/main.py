"""Demo: photographs from a server become thumbnails and vectors in a Parquet file, within a memory budget.

`thumbnails` is the pipeline; what is around it makes its input and looks at what came out.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

import brim
from brim import col
from brim.demo.contact_sheet import contact_sheet
from brim.demo.embed import embed
from brim.demo.photo_server import photo_server
from brim.sizes import format_size

SIDE = 224
SHEET_PHOTOS, SHEET_SIDE = 100, 112
_PREPARE = "128MiB"


def thumbnails(urls: Path, target: Path) -> brim.Pipeline:
    """From a Parquet file of `id` and `url` to one of `id`, `url`, `vector` and `thumb`.

    A photograph that cannot be had is left out; the report counts it.
    """
    return (
        brim.read_parquet(urls)
        .with_columns(photo=col("url").url.download(max_connections=16, on_error="null"))
        .with_columns(pixels=col("photo").image.decode("RGB", on_error="null").image.resize(SIDE, SIDE))
        .filter(col("pixels").is_not_null())
        .with_columns(vector=embed(col("pixels")))
        .select("id", "url", "vector", thumb=col("pixels").image.encode("jpeg", quality=90))
        .write_parquet(target, mode="overwrite")
    )


@dataclass(frozen=True, slots=True)
class Demo:
    """What came of a demo: its report, the seconds it took, the first rows, and where files are."""

    report: brim.Report
    seconds: float
    wanted: int
    first_rows: pa.Table
    table: Path
    sheet: Path

    @property
    def complete(self) -> bool:
        """Whether every photograph arrived."""
        return self.report.rows == self.wanted


def demonstrate(
    count: int, seed: int, folder: Path, run: Callable[[brim.Pipeline], brim.Report], say: Callable[[str], None]
) -> Demo:
    """Serve `count` photographs, `run` the pipeline over them, and show what came out. Blocking.

    Args:
        count: how many photographs.
        seed: which.
        folder: where the files go; those of an earlier demo are replaced.
        run: runs a pipeline with the memory and the progress that are wanted.
        say: is told what happens, a line at a time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    urls, table, sheet = folder / "urls.parquet", folder / "thumbnails.parquet", folder / "contact-sheet.png"
    say(f"cutting {count:,} photographs …")
    with photo_server(count, seed) as server:
        say(f"serving {count:,} photographs, {format_size(server.bytes)}, at {server.url}")
        listed = brim.from_pydict({"id": list(range(count)), "url": server.urls})
        listed.write_parquet(urls, mode="overwrite").run_blocking(memory=_PREPARE, progress=False)
        start = time.monotonic()
        report = run(thumbnails(urls, table))
        seconds = time.monotonic() - start
    made = brim.read_parquet(table)
    draw_sheet(made, sheet)
    first_rows = made.head(3).collect_blocking(memory=_PREPARE, progress=False)
    return Demo(report, seconds, count, first_rows, table, sheet)


def draw_sheet(made: brim.Pipeline, path: Path) -> None:
    """Draw the first thumbnails of `made` on one page."""
    small = col("thumb").image.decode("RGB").image.resize(SHEET_SIDE, SHEET_SIDE)
    first = made.head(SHEET_PHOTOS).select(small=small)
    contact_sheet(first.collect_blocking(memory=_PREPARE, progress=False)["small"], path)
