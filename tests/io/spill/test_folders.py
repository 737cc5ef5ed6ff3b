"""Several spill folders: in turn, a full one left out, each with its owner; one quota for all that is written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from errno import EACCES
from pathlib import Path

import pyarrow as pa
import pytest
from faulty_disk import FaultyDisk

import brim
from brim.errors import PlanError, SpillDiskFull
from brim.io.spill.disk import RealDisk
from brim.io.spill.folder import LOCK
from brim.io.spill.folders import SpillFolders, spill_folders
from brim.io.spill.quota import Quota
from brim.sizes import KIB, MIB

SCHEMA = pa.schema([("x", pa.binary())])
BATCH = pa.record_batch([[os.urandom(60 * KIB)]], schema=SCHEMA)


def used(file, space):
    """Blocks in each folder."""
    found = dict.fromkeys(space.folders, 0)
    for block in file._live:
        found[file._parts[block.part].folder] += 1
    return list(found.values())


def test_blocks_go_to_the_folders_in_turn(tmp_path):
    space = SpillFolders([tmp_path / name for name in "abc"])
    file = space.open("sort", SCHEMA)
    blocks = [file.write(BATCH) for _ in range(9)]
    assert used(file, space) == [3, 3, 3]
    assert all(file.read(block).equals(BATCH) for block in blocks)
    for name in "abc":
        (folder,) = (tmp_path / name).iterdir()
        assert folder.stat().st_mode & 0o777 == 0o700
        assert [(path.name, path.stat().st_mode & 0o777) for path in folder.iterdir()] == [(LOCK, 0o600)]
    space.close()
    assert [list((tmp_path / name).iterdir()) for name in "abc"] == [[], [], []]


def test_a_full_folder_is_left_out_as_long_as_another_has_room(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    disk = FaultyDisk(room={a: 200 * KIB, b: 600 * KIB})
    space = SpillFolders([a, b], 10 * MIB, disk)
    file, blocks = space.open("sort", SCHEMA), []
    with pytest.raises(SpillDiskFull) as full:
        while True:
            blocks.append(file.write(BATCH))
    assert used(file, space) == [3, 9]
    assert set(full.value.folder.split(", ")) == {str(a), str(b)}
    assert (full.value.needed_bytes, full.value.free_bytes) == (64 * KIB, 600 * KIB - 9 * 64 * KIB)
    assert disk.writes < 20, "a full folder is not tried with every block"
    first = next(block for block in blocks if file._parts[block.part].folder.parent == a)
    file.free(first)
    writes = disk.writes
    blocks = [*(block for block in blocks if block != first), file.write(BATCH)]
    assert (used(file, space), disk.writes) == ([3, 9], writes + 1), "where something was freed is tried first"
    assert all(file.read(block).equals(BATCH) for block in blocks)
    assert space.quota.used == 12 * 64 * KIB
    space.close()


def test_an_unnamed_file_is_made_where_there_is_room(tmp_path):
    class NoInodes(RealDisk):
        def open_nameless(self, folder):
            if folder.parent.name == "a":
                raise OSError(28, os.strerror(28))
            return super().open_nameless(folder)

    space = SpillFolders([tmp_path / "a", tmp_path / "b"], disk=NoInodes())
    with space.create("body") as file:
        file.write(b"bytes")
        assert [len(list((tmp_path / name).iterdir())) for name in "ab"] == [1, 1]
    blocks = space.open("sort", SCHEMA)
    assert used(blocks, space) == [0, 0]
    blocks.write(BATCH)
    blocks.write(BATCH)
    assert used(blocks, space) == [0, 2]
    space.close()
    space = SpillFolders([tmp_path / "a"], disk=NoInodes())
    with pytest.raises(SpillDiskFull, match=str(tmp_path / "a")):
        space.create("body")
    with pytest.raises(SpillDiskFull, match=str(tmp_path / "a")):
        space.open("sort", SCHEMA).write(BATCH)
    space.close()


def test_what_is_no_lack_of_room_is_told_as_it_is(tmp_path):
    class Denied(RealDisk):
        def open_nameless(self, folder):
            raise OSError(EACCES, os.strerror(EACCES))

    space = SpillFolders([tmp_path / "a", tmp_path / "b"], disk=Denied())
    with pytest.raises(PermissionError):
        space.create("body")
    with pytest.raises(PermissionError, match=r"/[ab]'"):
        space.open("sort", SCHEMA).write(BATCH)
    space.close()


def test_blocks_and_other_files_share_the_quota(tmp_path):
    space = SpillFolders([tmp_path], 200 * KIB)
    blocks, body = space.open("sort", SCHEMA), space.create("body")
    body.write(bytes(100 * KIB))
    blocks.write(BATCH)
    assert space.quota.used == 164 * KIB
    with pytest.raises(SpillDiskFull, match="65,536 bytes to write, 36,864 bytes left"):
        blocks.write(BATCH)
    with pytest.raises(SpillDiskFull, match="40,960 bytes to write, 36,864 bytes left"):
        body.write(bytes(40 * KIB))
    body.seek(0)
    body.write(bytes(100 * KIB))
    assert space.quota.used == 164 * KIB, "what is written over counts once"
    body.close()
    body.close()
    assert space.quota.used == 64 * KIB
    space.close()
    assert space.quota.used == 0


def test_without_a_limit_it_is_ninety_percent_of_what_is_free_when_the_first_file_is_opened(tmp_path):
    class Disks(RealDisk):
        free = MIB

        def device(self, folder):
            return {"a": 1, "b": 1, "c": 2}[folder.name]

        def free_bytes(self, folder):
            return self.free

    disks = Disks()
    space = SpillFolders([tmp_path / name for name in "abc"], disk=disks)
    space.open("sort", SCHEMA)
    disks.free = 0
    assert space.quota.limit == 2 * MIB * 9 // 10, "two folders of one disk have its room once"
    space.close()


def test_a_full_disk_is_told_with_the_bytes_that_were_to_be_written(tmp_path):
    space = SpillFolders([tmp_path], MIB, FaultyDisk(room={tmp_path: 100 * KIB}))
    with space.create("body") as body, pytest.raises(SpillDiskFull) as full:
        body.write(bytes(300 * KIB))
    assert (full.value.folder, full.value.needed_bytes, full.value.free_bytes) == (str(tmp_path), 300 * KIB, 0)
    space.close()
    assert space.quota.used == 0


def test_a_quota_holds_whoever_takes_from_it():
    quota, granted = Quota(lambda: 1000), [0] * 4

    def take(number):
        for _ in range(2000):
            if quota.take(7):
                granted[number] += 1
                assert quota.used <= 1000
                if granted[number] % 3:
                    quota.give_back(7)
                    granted[number] -= 1

    threads = [threading.Thread(target=take, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert quota.used == 7 * sum(granted) <= 1000


WRITER = """
import sys
from pathlib import Path
import pyarrow as pa
from brim.io.spill.folders import SpillFolders
space = SpillFolders([Path(folder) for folder in sys.argv[1:]])
batch = pa.record_batch({"x": [b"x" * 100_000]})
file = space.open("sort", batch.schema)
while True:
    file.write(batch)
    print("written", flush=True)
"""


def test_nothing_is_left_of_one_that_was_killed_while_it_wrote(tmp_path):
    folders = [tmp_path / "a", tmp_path / "b"]
    command = [sys.executable, "-c", WRITER, *map(str, folders)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        for _ in range(10):
            assert writer.stdout.readline() == b"written\n"
        other = SpillFolders(folders)
        other.open("sort", SCHEMA).write(BATCH)
        left = [path for folder in folders for path in folder.iterdir() if path != other.folders[0]._folder]
        assert len(left) == 2, "a live owner's folders are not touched"
        os.kill(writer.pid, signal.SIGKILL)
    assert [[path.name for path in folder.iterdir()] for folder in left] == [[LOCK], [LOCK]], "no file has a name"
    space = SpillFolders(folders)
    file = space.open("sort", SCHEMA)
    file.write(BATCH)
    file.write(BATCH)
    assert not any(path.exists() for path in left)
    assert other.folders[0].folder.exists()
    other.close()
    space.close()
    assert [list(folder.iterdir()) for folder in folders] == [[], []]


def test_the_folders_of_an_engine(tmp_path):
    assert spill_folders("a") == spill_folders(Path("a")) == spill_folders(["a", Path("a")]) == (Path("a"),)
    with pytest.raises(PlanError, match="spill_dir"):
        spill_folders([])
    with pytest.raises(PlanError, match="spill_dir"):
        brim.Engine(spill_dir=())
    engine = brim.Engine(spill_dir=[tmp_path / "a", str(tmp_path / "b")], spill_limit="3MiB")
    assert engine._spill_dirs == (tmp_path / "a", tmp_path / "b")
    assert engine.limits.spill_limit == 3 * MIB


def test_an_engine_closes_what_was_left_open(tmp_path):
    space = SpillFolders([tmp_path])
    file = space.open("sort", SCHEMA)
    file.write(BATCH)
    space.close()
    assert file.closed
    assert list(tmp_path.iterdir()) == []
