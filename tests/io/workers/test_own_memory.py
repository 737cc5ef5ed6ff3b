"""What a process holds for itself, measured against what was really allocated, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from brim.sizes import MIB

CODE = f"""
import json, mmap, os, sys
from dataclasses import astuple
from brim.io.workers.own_memory import base_bytes, data_and_held_bytes, own_memory, reset_peak
SIZE = {64 * MIB}
seen = {{}}
def see(name):
    own = own_memory()
    seen[name] = dict(held=own.held_bytes, peak=own.peak_bytes, base=base_bytes(), data=data_and_held_bytes()[0])
see("first")  # what reading takes is there from now on
see("before")
held = mmap.mmap(-1, SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
see("mapped")
for _ in range(SIZE >> 20):
    held.write(b"1" * (1 << 20))
see("touched")
if child := os.fork():
    os.waitpid(child, 0)
else:
    see("forked")
    print(json.dumps(seen["forked"]), flush=True)
    os._exit(0)
held.close()
see("closed")
reset_peak()
see("reset")
with open(sys.argv[1], "r+b") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
    sum(mapped[:: 4096])
    see("file")
shared = mmap.mmap(-1, SIZE)
for _ in range(SIZE >> 20):
    shared.write(b"1" * (1 << 20))
reset_peak()
see("shared")
print(json.dumps(seen))
"""


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="it is read from /proc")
def test_what_is_held_and_the_most_of_it_are_told_apart(tmp_path):
    big = tmp_path / "big"
    big.write_bytes(b"1" * (64 * MIB))
    done = subprocess.run([sys.executable, "-c", CODE, big], capture_output=True, text=True, check=True)
    forked, seen = map(json.loads, done.stdout.splitlines())
    before = seen["before"]

    def grown(name, what):
        return (seen[name][what] - before[what]) / MIB

    size, slack = 64, 4
    assert grown("mapped", "data") == pytest.approx(size, abs=slack), "that limits count, used or not"
    assert grown("mapped", "held") == pytest.approx(0, abs=slack)
    for what in ("held", "peak", "base"):
        assert grown("touched", what) == pytest.approx(size, abs=slack), what
    assert forked["base"] - before["base"] < slack * MIB, "what it shares is not its own"
    assert forked["held"] - before["held"] > (size - slack) * MIB
    assert grown("closed", "held") == pytest.approx(0, abs=slack)
    assert grown("closed", "peak") == pytest.approx(size, abs=slack), "it was there"
    for name in ("reset", "file", "shared"):
        for what in ("held", "peak"):
            assert grown(name, what) == pytest.approx(0, abs=slack), (name, what)


@pytest.mark.skipif(not Path("/proc/self/oom_score_adj").exists(), reason="no kernel that chooses whom to kill")
def test_the_kernel_is_to_kill_this_process_first():
    code = (
        "from pathlib import Path\nfrom brim.io.workers import own_memory\n"
        "for _ in range(2):\n    own_memory.be_killed_first()\n    print(Path('/proc/self/oom_score_adj').read_text())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before = int(Path("/proc/self/oom_score_adj").read_text())
    assert list(map(int, done.stdout.split())) == [min(1000, before + 900), 1000]
