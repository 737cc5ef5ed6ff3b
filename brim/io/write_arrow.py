"""Write Arrow: IPC files, or IPC streams where the name ends in ``.arrows``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa

from brim.errors import PlanError
from brim.io.files.file_sink import FILE_BYTES, FileSink, file_sink
from brim.io.files.stream_encoder import StreamEncoder
from brim.io.object_stores.storage import StorageLike
from brim.io.sink import Mode

_CODECS = ("none", "lz4", "zstd")


def arrow_sink(
    path: str | Path,
    *,
    mode: Mode = "create",
    partition_by: str | Sequence[str] = (),
    compression: Literal["none", "lz4", "zstd"] = "none",
    max_file_bytes: int | str = FILE_BYTES,
    storage: StorageLike = None,
) -> FileSink:
    """An ``.arrow`` file (an ``.arrows`` stream), or a folder of ``.arrow`` files; batches stay as they are."""
    if compression not in _CODECS:
        raise PlanError(f"write_arrow: compression is one of {', '.join(_CODECS)}, not {compression!r}")
    made = ArrowFormat(compression)
    return file_sink(
        "write_arrow", path, made, mode=mode, partition_by=partition_by, max_file_bytes=max_file_bytes, storage=storage
    )


@dataclass(frozen=True, slots=True)
class ArrowFormat:
    """IPC files of one compression."""

    compression: str = "none"

    @property
    def suffixes(self) -> tuple[str, ...]:
        return (".arrow", ".arrows", ".feather", ".ipc")

    def check(self, schema: pa.Schema, writer: str) -> None:
        """Every Arrow type has its place."""

    @property
    def group_bytes(self) -> int:
        return 0

    def gathered_min(self, batch_bytes: int) -> int:  # noqa: ARG002 - batches are written at once
        return 0

    def encoder_bytes(self, batch_bytes: int) -> int:
        return 0 if self.compression == "none" else batch_bytes

    def open(self, file: pa.NativeFile, name: str, schema: pa.Schema) -> StreamEncoder:
        codec = None if self.compression == "none" else self.compression
        options = pa.ipc.IpcWriteOptions(compression=codec, use_threads=False)
        make = pa.ipc.new_stream if name.lower().endswith(".arrows") else pa.ipc.new_file
        return StreamEncoder(file, make(file, schema, options=options))
