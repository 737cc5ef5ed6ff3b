"""A few seconds of chaos: workers killed every 200 ms cost no row. `make chaos` runs a minute; see `chaos_run.py`."""

import os
import subprocess
import sys
from random import Random

import anyio
import pytest
from chaos_run import Chaos, run

from brim.io.workers.worker_stats import WorkerStats


@pytest.mark.slow
def test_workers_killed_at_random_cost_no_row():
    async def main():
        return await run(4, 0.2, size=2, seed=1)

    found = anyio.run(main)
    assert (found.wrong, found.failed_rows) == (0, 0), found
    assert found.kills >= 10, found
    assert len(found.recovery_s) >= 5, found


def test_a_kill_counts_until_as_many_others_compute():
    def worker(pid, state):
        return WorkerStats("f", pid, state, base_bytes=0, held_bytes=0, peak_bytes=0, calls=0, busy_s=0.0)

    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    chaos = Chaos(2, Random(0))
    chaos.kill([worker(sleeper.pid, "busy"), worker(os.getpid(), "starting")], 1.0)
    assert sleeper.wait() == -9
    chaos.look([worker(sleeper.pid, "busy"), worker(1, "busy")], 1.5)
    chaos.look([worker(1, "busy"), worker(2, "starting")], 1.6)
    assert chaos.recovered == []
    chaos.look([worker(1, "busy"), worker(2, "busy")], 1.75)
    assert (chaos.recovered, chaos.kills) == ([0.75], {})
