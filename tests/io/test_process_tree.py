"""The memory of the process tree, measured against what was really allocated."""

from __future__ import annotations

import mmap
import subprocess
import sys
from pathlib import Path

import pytest

from brim.io.process_tree import Counters, ProcessTree, descendants, peak_since, read_counters, read_pss, tree_bytes
from brim.sizes import MIB

linux = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="the kernel keeps no such counters")


def test_memory_that_is_touched_counts_and_is_gone_when_it_is_given_back():
    before = tree_bytes()
    with mmap.mmap(-1, 64 * MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as held:
        assert tree_bytes() - before < 8 * MIB, "mapped but never touched"
        held.write(b"\1" * (64 * MIB))
        assert tree_bytes() - before == pytest.approx(64 * MIB, abs=8 * MIB)
    assert tree_bytes() - before < 8 * MIB


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
    before = tree_bytes()
    child = subprocess.Popen([sys.executable, "-c", code, code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with child:
        assert child.stdout.readline() == b"ready\n"
        grown = tree_bytes() - before
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
        assert tree_bytes() > 0
        child.stdin.close()


def test_a_process_that_has_gone_counts_nothing():
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        pass
    assert read_counters(child.pid) is None
    assert descendants(child.pid) == [child.pid]


def test_between_two_looks_the_mark_of_the_kernel_tells_the_peak():
    before = Counters(high=100, anon=60, file=40)
    assert peak_since(None, before) == 60
    assert peak_since(before, Counters(high=100, anon=50, file=40)) == 50, "the mark did not rise"
    assert peak_since(before, Counters(high=190, anon=50, file=40)) == 150
    assert peak_since(before, Counters(high=190, anon=50, file=10)) == 150, (
        "pages of files that are gone count as files"
    )
    assert peak_since(before, Counters(high=110, anon=80, file=40)) == 80


@linux
def test_a_peak_that_is_over_before_the_next_look_is_not_missed():
    code = """
import mmap, sys
print("ready", flush=True)
sys.stdin.readline()
with mmap.mmap(-1, 64 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as held:
    held.write(b"1" * (32 << 20))
print("done", flush=True)
sys.stdin.readline()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"ready\n"
        tree = ProcessTree(child.pid)
        first = tree.read()
        child.stdin.write(b"go\n")
        child.stdin.flush()
        assert child.stdout.readline() == b"done\n"
        second = tree.read()
        child.stdin.close()
    assert second.now - first.now < 8 * MIB
    assert second.peak - first.now == pytest.approx(64 * MIB, abs=8 * MIB), "the bytes and the mapping"


@linux
def test_pages_that_processes_share_count_once():
    code = """
import mmap, os, sys
held = mmap.mmap(-1, 32 << 20)
held.write(b"1" * (32 << 20))
child = os.fork()
sum(held[::4096])
if not child:
    print("ready", flush=True)
sys.stdin.readline()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"ready\n"
        counted = sum(read_counters(pid).own for pid in descendants(child.pid))
        grown = tree_bytes(child.pid)
        assert grown == pytest.approx(sum(map(read_pss, descendants(child.pid))), abs=MIB)
        child.stdin.close()
    assert counted - grown > 24 * MIB
