"""Limits of memory control groups: v1, v2, hybrid, nested, in and outside of containers. On folders that look like them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from brim.io.cgroup import Group, free_in_groups
from brim.sizes import MIB

V1_NONE = 9223372036854771712


def _system(root, cgroup, mounts, files):
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(cgroup)
    (root / "proc/self/mountinfo").write_text(mounts)
    for name, text in files.items():
        file = root / "sys/fs/cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")
    return root


V2_MOUNT = "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
V1_MOUNT = "33 25 0:29 / /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory\n"
V1_OTHER = "34 25 0:30 / /sys/fs/cgroup/cpu rw,nosuid - cgroup cgroup rw,cpu,cpuacct\n"


def _v2(name, limit, used, idle=0, high="max"):
    return {
        f"{name}memory.max": limit,
        f"{name}memory.high": high,
        f"{name}memory.current": used,
        f"{name}memory.stat": f"anon 5\ninactive_file {idle}\nactive_file 9",
    }


def _v1(name, limit, used, idle=0):
    return {
        f"memory/{name}memory.limit_in_bytes": limit,
        f"memory/{name}memory.usage_in_bytes": used,
        f"memory/{name}memory.stat": f"cache 5\ninactive_file 1\ntotal_inactive_file {idle}",
    }


def test_the_limit_of_the_own_group_decides(tmp_path):
    root = _system(tmp_path, "0::/app/job\n", V2_MOUNT, _v2("app/job/", 500 * MIB, 100 * MIB, 20 * MIB))
    assert free_in_groups(root) == 420 * MIB


def test_an_ancestor_that_is_tighter_decides(tmp_path):
    files = _v2("app/job/", 500 * MIB, 100 * MIB) | _v2("app/", 300 * MIB, 250 * MIB) | _v2("", "max", 900 * MIB)
    assert free_in_groups(_system(tmp_path, "0::/app/job\n", V2_MOUNT, files)) == 50 * MIB


def test_high_is_a_limit_too(tmp_path):
    files = _v2("job/", 500 * MIB, 100 * MIB, high=200 * MIB)
    assert free_in_groups(_system(tmp_path, "0::/job\n", V2_MOUNT, files)) == 100 * MIB


def test_a_container_that_sees_its_own_group_as_the_root(tmp_path):
    mount = "30 24 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n"
    root = _system(tmp_path, "0::/docker/abc\n", mount, _v2("", 256 * MIB, 56 * MIB))
    assert free_in_groups(root) == 200 * MIB


def test_version_one_and_its_number_for_none(tmp_path):
    files = _v1("a/b/", V1_NONE, 10 * MIB) | _v1("a/", 128 * MIB, 60 * MIB, 12 * MIB) | _v1("", V1_NONE, 999 * MIB)
    root = _system(tmp_path, "4:memory:/a/b\n1:cpu,cpuacct:/x\n", V1_OTHER + V1_MOUNT, files)
    assert free_in_groups(root) == 80 * MIB


def test_hybrid_reads_both(tmp_path):
    unified = "40 25 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
    files = _v1("a/", 128 * MIB, 28 * MIB) | {"unified/cgroup.procs": "1"}
    root = _system(tmp_path, "4:memory:/a\n0::/\n", V1_MOUNT + unified, files)
    assert free_in_groups(root) == 100 * MIB


@pytest.mark.parametrize("cgroup", ["", "0::/gone\n", "1:cpu:/a\n"])
def test_no_group_with_a_limit_is_no_limit(tmp_path, cgroup):
    assert free_in_groups(_system(tmp_path, cgroup, V2_MOUNT, {})) is None
    assert free_in_groups(tmp_path / "nowhere") is None


def test_a_group_over_its_limit_has_nothing_free():
    assert Group(100, 150, 10).free == 0
    assert Group(None, 150, 10).free is None


def _own_v1_group():
    line = next((line for line in Path("/proc/self/cgroup").read_text().splitlines() if ":memory:" in line), None)
    folder = line and Path(f"/sys/fs/cgroup/memory{line.split(':', 2)[2]}")
    return folder if folder and os.access(folder, os.W_OK) and os.geteuid() == 0 else None


@pytest.mark.skipif(_own_v1_group() is None, reason="no memory group can be made below our own")
def test_a_real_group_is_what_auto_is_made_of():
    """A child in a group of 200 MiB is told at most 80 % of it."""
    group = _own_v1_group() / "brim-test"
    group.mkdir()
    try:
        (group / "memory.limit_in_bytes").write_text(str(200 * MIB))
        code = (
            f"open({str(group / 'cgroup.procs')!r}, 'w').write('0')\n"
            "from brim.pipeline.given_limits import limits_of\nprint(limits_of(memory='auto').memory)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert 20 * MIB < int(done.stdout) <= 160 * MIB
    finally:
        group.rmdir()
