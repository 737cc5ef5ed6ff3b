"""Dead letters appear when their stage ends, and not at all when its run is cancelled, whatever the stage hears first."""

from __future__ import annotations

from contextlib import nullcontext

import anyio
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kit import FakeStage

from brim.io.dead_letters import DeadLetterFolder
from brim.operators.protocol import ReaderGone

ROWS = pa.RecordBatch.from_pydict({"id": [1, 2], "error": ["one", "two"]})


def left(folder, *, cancelled, error=None):
    """The rows of the files in `folder` after a stage that kept two letters."""

    async def main():
        with anyio.CancelScope() as scope:
            async with DeadLetterFolder(str(folder)).open("letters", FakeStage()) as kept:
                await kept.keep(ROWS)
                if cancelled:
                    scope.cancel()
                if error is not None:
                    raise error

    with nullcontext() if error is None else pytest.raises(type(error)):
        anyio.run(main)
    files = [path for path in folder.rglob("*") if path.is_file() or path.name.startswith(".")]
    return sum(pq.read_table(path).num_rows for path in files)


@pytest.mark.parametrize("error", [None, ReaderGone(), ValueError("its own")])
def test_they_appear_when_the_stage_ends(tmp_path, error):
    assert left(tmp_path / "letters", cancelled=False, error=error) == 2


@pytest.mark.parametrize("error", [None, ReaderGone(), ValueError("its own")])
def test_a_run_that_is_cancelled_leaves_none(tmp_path, error):
    """Also where the stage hears first that its reader has gone, which the cancelled consumer is."""
    assert left(tmp_path / "letters", cancelled=True, error=error) == 0
