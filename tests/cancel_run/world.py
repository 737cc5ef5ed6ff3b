"""World: what the pipelines read and write, made once: tables, files, and servers that are started when first asked."""

from __future__ import annotations

import gzip
import io
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
from PIL import Image
from servers.object_stores import Stand, s3_and_gcs

ROWS, BODIES = 4_000, 60


@dataclass
class World:
    """A folder: `files` that are read, `out` that is written anew in each run, `spill`."""

    folder: Path
    opened: ExitStack
    runs: int = 0
    readers: int = 0

    def __post_init__(self) -> None:
        for folder in (self.files, self.out, self.spill):
            folder.mkdir()

    @property
    def files(self) -> Path:
        return self.folder / "files"

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def spill(self) -> Path:
        return self.folder / "spill"

    def renew(self) -> None:
        """Forget what the run before has written."""
        self.runs += 1
        shutil.rmtree(self.out)
        self.out.mkdir()

    @cached_property
    def table(self) -> pa.Table:
        ids = range(ROWS)
        return pa.table(
            {
                "id": pa.array(ids, pa.int64()),
                "key": pa.array([(i * 7919) % 1009 for i in ids], pa.int64()),
                "text": [f"text {i * 7919 % ROWS:05}" for i in ids],
                "tags": pa.array([[i] * (i % 3) for i in ids], pa.list_(pa.int64())),
            }
        )

    @cached_property
    def flat(self) -> pa.Table:
        return self.table.drop_columns(["tags"])

    @cached_property
    def packed(self) -> pa.Table:
        """Bodies that inflate twentyfold."""
        bodies = [gzip.compress(f"row {i} ".encode() * 500) for i in range(BODIES)]
        return pa.table({"id": range(BODIES), "body": pa.array(bodies, pa.large_binary())})

    @cached_property
    def pictures(self) -> pa.Table:
        return pa.table({"id": range(BODIES), "picture": pa.array(map(_picture, range(BODIES)), pa.large_binary())})

    @cached_property
    def large(self) -> pa.Table:
        """Every eighth row is larger than a batch."""
        texts = ["x" * (40_000 if i % 8 == 0 else 50) for i in range(BODIES)]
        return pa.table({"id": range(BODIES), "text": pa.array(texts, pa.large_string())})

    @cached_property
    def port(self) -> int:
        """The server of bodies."""
        command = [sys.executable, str(Path(__file__).with_name("body_server.py"))]
        server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.opened.callback(_end, server)
        return int(server.stdout.readline())

    def urls(self, kind: str) -> pa.Table:
        return pa.table({"url": [f"http://127.0.0.1:{self.port}/{kind}/{number}" for number in range(BODIES)]})

    @cached_property
    def s3(self) -> Stand:
        """A store with the files below `files/`."""
        stand = self.opened.enter_context(s3_and_gcs())[0]
        for kind in ("parquet", "csv", "arrow"):
            stand.put(f"files/rows.{kind}", self.file(kind).read_bytes())
        return stand

    def file(self, kind: str) -> Path:
        """All rows in a file of a format."""
        path = self.files / f"rows.{kind}"
        if not path.exists():
            _WRITE[kind](self, path)
        return path


def _picture(number: int) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (60 + number, 40), (number, 100, 200)).save(made, "JPEG")
    return made.getvalue()


def _write_arrow(world: World, path: Path) -> None:
    with pa.ipc.new_file(path, world.table.schema) as file:
        file.write_table(world.table, max_chunksize=200)


def _write_json(world: World, path: Path) -> None:
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in world.table.to_pylist()))


_WRITE = {
    "parquet": lambda world, path: pq.write_table(world.table, path, row_group_size=500),
    "csv": lambda world, path: pc.write_csv(world.flat, path),
    "json": _write_json,
    "arrow": _write_arrow,
    "txt": lambda world, path: path.write_text("\n".join(world.table["text"].to_pylist())),
}


def _end(server: subprocess.Popen) -> None:
    server.stdin.close()
    server.wait(10)
    server.stdout.close()


@contextmanager
def worlds() -> Iterator[World]:
    """A world in a temporary folder; its servers end with the block."""
    with TemporaryDirectory(prefix="cancel-") as folder, ExitStack() as opened:
        yield World(Path(folder), opened)
