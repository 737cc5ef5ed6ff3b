"""The memory of the process tree, measured against what was really allocated."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from tree_watch import HOLD_64_MIB

from brim.io.process_tree import ProcessTree, descendants, shared_bytes, shmem_bytes, tree_bytes
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
    assert shmem_bytes(child.pid) is None
    assert descendants(child.pid) == [child.pid]


@linux
def test_a_peek_sees_what_grew_since_the_look_and_a_look_who_came_and_went():
    code = """
import mmap, sys
sys.stdin.readline()
held = mmap.mmap(-1, 64 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
held.write(b"1" * (64 << 20))
print("done", flush=True)
sys.stdin.readline()
"""
    tree = ProcessTree()
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        before = tree.look()
        assert tree.look() >= before
        child.stdin.write(b"go\n")
        child.stdin.flush()
        assert child.stdout.readline() == b"done\n"
        assert tree.peek() - before == pytest.approx(64 * MIB, abs=16 * MIB)
        assert tree.look() == pytest.approx(tree.peek(), abs=MIB)
        child.stdin.close()
    assert tree.peek() - before < 16 * MIB, "who has ended holds nothing"
    assert tree.look() - before < 16 * MIB
    tree.close()
    assert not tree._statm


@linux
def test_pages_that_processes_share_after_a_fork_count_once():
    code = """
import mmap, os, sys
held = mmap.mmap(-1, 32 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
held.write(b"1" * (32 << 20))
if not os.fork():
    print("ready", flush=True)
sys.stdin.readline()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"ready\n"
        counted = sum(_counted(pid) for pid in descendants(child.pid))
        shared = sum(shared_bytes(pid) for pid in descendants(child.pid))
        grown = tree_bytes(child.pid)
        assert grown == pytest.approx(sum(map(_pss, descendants(child.pid))), abs=MIB)
        child.stdin.close()
    assert counted - grown == pytest.approx(shared, abs=MIB)
    assert shared > 30 * MIB


def _counted(pid):
    lines = Path(f"/proc/{pid}/status").read_bytes().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith((b"RssAnon:", b"RssShmem:")))


def _pss(pid):
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(("Pss_Anon:", "Pss_Shmem:")))


@linux
def test_a_new_process_counts_from_the_second_look_that_finds_it():
    """While it is being started (after `vfork`) all memory of its parent seems to be its own too."""
    code = """
import mmap, sys
held = mmap.mmap(-1, 64 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
held.write(b"1" * (64 << 20))
print("ready", flush=True)
sys.stdin.readline()
"""
    tree = ProcessTree()
    before = tree.look()
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"ready\n"
        assert tree.look() - before < 32 * MIB
        assert tree.look() - before == pytest.approx(64 * MIB, abs=16 * MIB)
        child.stdin.close()
    tree.close()


@contextmanager
def _holder():
    with subprocess.Popen([sys.executable, "-c", HOLD_64_MIB], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"ready\n"
        yield child
        child.stdin.close()


@contextmanager
def _tree():
    tree = ProcessTree()
    try:
        yield tree, tree.look()
    finally:
        tree.close()


@linux
def test_a_process_that_joins_counts_at_once_less_what_it_shares():
    with _tree() as (tree, before), _holder() as child:
        assert tree.peek() - before < 16 * MIB, "it is not known"
        tree.join(child.pid, 16 * MIB)
        joined = tree.peek()
        assert joined - before == pytest.approx(64 * MIB - 16 * MIB + _rest(child.pid), abs=4 * MIB)
        tree.join(child.pid, 16 * MIB)
        assert tree.peek() == pytest.approx(joined, abs=MIB), "once"
        assert tree.look() - before == pytest.approx(64 * MIB + _rest(child.pid), abs=4 * MIB)
        assert tree.look() - before == pytest.approx(64 * MIB + _rest(child.pid), abs=4 * MIB), (
            "a look knows for itself"
        )


def _rest(pid):
    """What the child holds beside its 64 MiB, in proportion to what it shares."""
    return _pss(pid) - 64 * MIB


@linux
def test_a_look_counts_who_has_joined_though_it_finds_it_for_the_first_time():
    with _tree() as (tree, before), _holder() as child:
        tree.join(child.pid, 0)
        assert tree.look() - before > 60 * MIB


@linux
def test_who_has_joined_and_gone_counts_nothing():
    with _tree() as (tree, before):
        with _holder() as child:
            tree.join(child.pid, 4 * MIB)
        assert child.returncode == 0
        assert tree.peek() - before < 16 * MIB
        tree.look()
        assert tree.look() - before == pytest.approx(0, abs=16 * MIB)
        assert child.pid not in tree._statm


@linux
def test_what_one_shared_that_has_gone_is_no_longer_taken_off():
    with _tree() as (tree, before):
        with _holder() as child:
            tree.join(child.pid, 48 * MIB)
            assert tree.peek() - before == pytest.approx(16 * MIB + _rest(child.pid), abs=4 * MIB)
        assert child.returncode == 0
        assert [tree.peek() - before for _ in range(2)] == pytest.approx([0, 0], abs=8 * MIB)


@linux
def test_processes_may_join_from_any_thread_while_the_tree_is_looked_at():
    with _tree() as (tree, before), ExitStack() as stack:
        children = [stack.enter_context(_holder()) for _ in range(3)]
        with ThreadPoolExecutor(3) as threads:
            joins = [threads.submit(tree.join, child.pid, 0) for child in children]
            while not all(join.done() for join in joins):
                tree.peek()
        assert tree.peek() - before > 3 * 60 * MIB


@linux
def test_the_memory_of_a_process_that_ends_counts_until_the_kernel_has_freed_it():
    """For tens of milliseconds it maps nothing any more, and its pages are not free."""
    code = f"""
import signal, threading
held = bytearray(b"\\1") * {512 * MIB}
for _ in range(8):
    threading.Thread(target=signal.pause, daemon=True).start()
print(flush=True)
signal.pause()
"""
    with started(code) as child:
        child.stdout.readline()
        tree = ProcessTree(child.pid)
        assert tree.look() > 512 * MIB
        child.kill()
        while tree.peek() > 512 * MIB:
            pass
        assert os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        tree.close()


@contextmanager
def started(code):
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with child:
        yield child
        child.kill()
