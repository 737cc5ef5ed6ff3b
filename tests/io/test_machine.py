"""What is known of the machine, measured against what was really allocated."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from brim.io import machine
from brim.pipeline.engine import limits_of
from brim.sizes import MIB


def test_auto_is_four_fifths_of_what_is_free():
    assert machine.free_memory() == pytest.approx(0.8 * psutil.virtual_memory().available, rel=0.1)
    assert limits_of(memory="auto").memory == pytest.approx(machine.free_memory(), rel=0.1)


def test_a_percentage_is_of_what_is_free():
    assert limits_of(memory="50%").memory == pytest.approx(0.5 * psutil.virtual_memory().available, rel=0.1)


def test_cores_are_those_this_process_may_use():
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); from brim.io.machine import cores; print(cores())"
    assert 1 <= machine.cores() <= os.cpu_count()
    if hasattr(os, "sched_setaffinity"):
        assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"1\n"


def test_memory_that_is_touched_counts_and_is_gone_when_it_is_given_back():
    before = machine.tree_bytes()
    with mmap.mmap(-1, 64 * MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as held:
        assert machine.tree_bytes() - before < 8 * MIB, "mapped but never touched"
        held.write(b"\1" * (64 * MIB))
        assert machine.tree_bytes() - before == pytest.approx(64 * MIB, abs=8 * MIB)
    assert machine.tree_bytes() - before < 8 * MIB


def test_children_and_theirs_count_and_pages_of_files_do_not(tmp_path):
    big = tmp_path / "big"
    big.write_bytes(b"\1" * (32 * MIB))
    code = f"""
import subprocess, sys, mmap
held = bytearray(b"\\1") * ({32 * MIB})
with open({str(big)!r}, "r+b") as file:
    mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    sum(mapped[:: 4096])
if len(sys.argv) > 1:
    below = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    below.stdout.readline()
print("ready", flush=True)
sys.stdin.readline()
"""
    before = machine.tree_bytes()
    child = subprocess.Popen([sys.executable, "-c", code, code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with child:
        assert child.stdout.readline() == b"ready\n"
        grown = machine.tree_bytes() - before
        child.stdin.close()
    assert 64 * MIB < grown < 64 * MIB + 32 * MIB


@pytest.mark.skipif(not Path("/proc/self/comm").exists(), reason="names are set through /proc")
def test_a_process_whose_name_is_no_text_is_measured_too():
    """The kernel cuts names at 15 bytes, in the middle of a letter where it must."""
    code = """
import sys
with open("/proc/self/comm", "wb") as name:
    name.write("aprüfungen-größe".encode()[:15])
print("ready", flush=True)
sys.stdin.readline()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"ready\n"
        with pytest.raises(UnicodeDecodeError):
            Path(f"/proc/{child.pid}/status").read_bytes().decode()
        assert machine.tree_bytes() > 0
        child.stdin.close()


def test_a_process_that_has_gone_counts_nothing():
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        pass
    assert machine._process_bytes(child.pid) == 0
    assert machine._children(child.pid) == []
