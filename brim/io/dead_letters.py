"""Dead letters: the rows that failed in one run of one stage, as a Parquet file that appears whole.

It appears when the stage ends, well or with an error, because what failed has failed; a run that is cancelled leaves
none. Without failed rows there is no file.
"""

from __future__ import annotations

import math
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import pyarrow as pa
import pyarrow.parquet as pq

from brim.events import Resource
from brim.io.files.commit import Staging, Target, sync_file, writing
from brim.operators.protocol import Stage
from brim.operators.user_functions.dead_letters import Letters


@dataclass(frozen=True, slots=True)
class DeadLetterFolder:
    """`path` is a folder that gets a file more from each run, or a `.parquet` file that is replaced."""

    path: str

    @asynccontextmanager
    async def open(self, name: str, stage: Stage) -> AsyncIterator[Letters]:
        """See `DeadLetters` of the operators."""
        kept = _Kept(self._target(name), stage, f"{name}-{stage.random.getrandbits(64):016x}.parquet")
        try:
            yield kept
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True):
                await stage.threads.run(kept.discard)
            raise
        except BaseException:
            await kept.end()
            raise
        await kept.end()

    def _target(self, name: str) -> Target:
        path = Path(os.path.abspath(self.path))  # noqa: PTH100 - links stay as they are
        is_file = path.suffix == ".parquet" and not path.is_dir()
        return Target(path, is_file, "overwrite" if is_file else "append", ".parquet", f"{name}: dead_letter")


@dataclass(eq=False, slots=True)
class _Kept:
    """The file of one run, begun with the first row."""

    target: Target
    stage: Stage
    name: str
    _staging: Staging | None = None
    _writer: pq.ParquetWriter | None = None

    async def keep(self, rows: pa.RecordBatch) -> None:
        with self.stage.waiting(Resource.DISK):
            await self.stage.threads.run(self._write, rows)

    async def end(self) -> None:
        """Let the file appear, whatever else happens; of a run that is cancelled a stage may hear this way first."""
        cancelled = anyio.current_effective_deadline() == -math.inf
        with anyio.CancelScope(shield=True):
            await self.stage.threads.run(self.discard if cancelled else self._commit)

    def discard(self) -> None:
        """Leave nothing."""
        if self._writer is not None:
            self._writer.close()
        if self._staging is not None:
            self._staging.discard()

    def _write(self, rows: pa.RecordBatch) -> None:
        with writing(str(self.target.path)):
            if self._writer is None:
                self._staging = Staging(self.target, self.name.rpartition("-")[2].removesuffix(".parquet"))
                self._staging.open()
                self._writer = pq.ParquetWriter(self._staging.folder / self.name, rows.schema, compression="zstd")
            self._writer.write_batch(rows)

    def _commit(self) -> None:
        if self._writer is None or self._staging is None:
            return
        try:
            with writing(str(self.target.path)):
                self._writer.close()
                sync_file(self._staging.folder / self.name)
            self._staging.commit([Path(self.name)])
        finally:
            self._staging.discard()
