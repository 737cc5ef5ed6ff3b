"""Sixty pipelines in one process leave nothing; `make leaks` runs five hundred. See `leak_run.py`."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from leak_run import Left, look, settled

TESTS = Path(__file__).parent


@pytest.mark.slow
def test_sixty_pipelines_leave_nothing():
    """A third cancelled, a third failing, every eighth with worker processes; the first twenty-four set the mark."""
    ran = subprocess.run(
        [sys.executable, "-m", "leak_run", "--pipelines", "60", "--warm-up", "24"],
        cwd=TESTS, capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.search(r"left by 36 more pipelines: .*'tasks': 0", ran.stdout)


def test_what_is_left_is_seen(tmp_path):
    """A task, a thread, a descriptor, a file: each shows in the count."""

    async def main() -> tuple[Left, Left]:
        mark = look(tmp_path)
        end, released = asyncio.Event(), threading.Event()
        task = asyncio.create_task(end.wait())
        thread = threading.Thread(target=released.wait)
        thread.start()
        with (tmp_path / "left").open("w"):
            seen = await settled(tmp_path, mark, within_s=0.1)
        released.set()
        thread.join()
        end.set()
        await task
        return mark, seen

    mark, seen = asyncio.run(main())
    more = [now - then for now, then in zip(seen.counts, mark.counts, strict=True)]
    assert more == [1, 1, 0, 1, 1]
