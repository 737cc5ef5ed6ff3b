"""Kills by the kernel are read from the counter that is nearest: of the own group, v2 or v1, else of the machine."""

from __future__ import annotations

import pytest

from brim.io.workers.oom_kills import OomKills

V2 = ("0::/app/job\n", "30 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "sys/fs/cgroup/app/job/memory.events")
V1 = (
    "4:memory:/job\n",
    "33 25 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
    "sys/fs/cgroup/memory/job/memory.oom_control",
)
BESIDE = "low 0\nhigh 17\nmax 40\noom 9\noom_kill_disable 0\nunder_oom 0\n"


def _system(root, cgroup, mounts, files):
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(cgroup)
    (root / "proc/self/mountinfo").write_text(mounts)
    for name, count in files.items():
        _count(root / name, count)


def _count(file, count):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{BESIDE}oom_kill {count}\noom_group_kill 5\n")


@pytest.mark.parametrize(("cgroup", "mounts", "file"), [V2, V1, ("", "", "proc/vmstat")])
def test_a_kill_is_told_once(tmp_path, cgroup, mounts, file):
    _system(tmp_path, cgroup, mounts, {file: 3})
    kills = OomKills(tmp_path)
    assert not kills.happened(), "those of before are none of ours"
    _count(tmp_path / file, 5)
    assert kills.happened()
    assert not kills.happened()
    _count(tmp_path / file, 6)
    assert kills.happened()


def test_what_other_groups_and_the_machine_killed_is_not_ours(tmp_path):
    cgroup, mounts, own = V2
    others = ["proc/vmstat", "sys/fs/cgroup/memory.events", "sys/fs/cgroup/app/other/memory.events"]
    _system(tmp_path, cgroup, mounts, dict.fromkeys([own, *others], 1))
    kills = OomKills(tmp_path)
    for other in others:
        _count(tmp_path / other, 9)
    assert not kills.happened()


def test_a_group_without_a_counter_leaves_it_to_the_one_above(tmp_path):
    cgroup, mounts, _ = V2
    above = "sys/fs/cgroup/app/memory.events"
    _system(tmp_path, cgroup, mounts, {above: 1, "proc/vmstat": 7})
    kills = OomKills(tmp_path)
    _count(tmp_path / above, 2)
    assert kills.happened()


def test_where_nothing_is_counted_nothing_has_happened(tmp_path):
    assert not OomKills(tmp_path).happened()


def test_the_counters_of_this_machine_can_be_read():
    assert not OomKills().happened()
