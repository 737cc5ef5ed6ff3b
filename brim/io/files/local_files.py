"""Local files: the files of one writer in its hidden folder, until they are committed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import pyarrow as pa

from brim.io.files.commit import Staging, Target, sync_file
from brim.operators.protocol import Threads


@asynccontextmanager
async def local_files(target: Target, threads: Threads, token: str) -> AsyncIterator[LocalFiles]:
    """The files of one writer; what is not committed in the block is gone after it."""
    files = LocalFiles(Staging(target, token), threads)
    try:
        await threads.run(files.staging.open)
        yield files
    finally:
        with anyio.CancelScope(shield=True):
            await threads.run(files.staging.discard)


@dataclass(eq=False, slots=True)
class LocalFiles:
    """See `FilesOnTheirWay` in `part_files.py`; `new_file` and `finish` are for threads."""

    staging: Staging
    threads: Threads
    crowded: bool = False

    @property
    def token(self) -> str:
        return self.staging.token

    @property
    def place(self) -> str:
        return str(self.staging.target.path)

    @property
    def own_names(self) -> bool:
        return self.staging.target.mode == "append"

    def new_file(self, path: Path) -> pa.NativeFile:
        place = self.staging.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        return pa.OSFile(str(place), "wb")

    def finish(self, path: Path) -> int:
        return sync_file(self.staging.folder / path)

    async def commit(self, files: Sequence[Path]) -> list[str]:
        """Make the files visible; where they are now."""
        return [*map(str, await self.threads.run(self.staging.commit, list(files)))]
