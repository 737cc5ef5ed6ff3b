"""The spill folder: made when it is needed, gone with its engine, swept after those that died."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from errno import EDQUOT, EIO, ENOSPC

import pytest

from brim.errors import SpillDiskFull
from brim.io.spill.folder import LOCK, PREFIX, disk_errors, sweep
from brim.io.spill.folders import SpillFolders


def _folders(parent):
    return sorted(path.name for path in parent.iterdir())


def test_nothing_is_made_before_the_first_file_and_nothing_is_left(tmp_path):
    parent = tmp_path / "not" / "there" / "yet"
    spill = SpillFolders([parent])
    spill.close()
    assert not parent.exists()
    with spill.create("run") as file:
        file.write(b"bytes")
        file.seek(0)
        assert file.read() == b"bytes"
        (folder,) = parent.iterdir()
        assert folder == spill.folder
        assert folder.stat().st_mode & 0o777 == 0o700
        assert _folders(folder) == [LOCK], "the file has no name"
    spill.close()
    spill.close()
    assert _folders(parent) == []


def test_a_folder_is_made_once_however_many_threads_write_their_first_file(tmp_path):
    for number in range(20):
        parent = tmp_path / str(number)
        spill, barrier, files = SpillFolders([parent]), threading.Barrier(6), []

        def write(spill=spill, barrier=barrier, files=files):
            barrier.wait()
            files.append(spill.create("run"))

        threads = [threading.Thread(target=write) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(files) == 6
        assert len(_folders(parent)) == 1
        for file in files:
            file.close()
        spill.close()
        assert _folders(parent) == []


def test_engines_side_by_side_leave_each_other_alone(tmp_path):
    first, second = SpillFolders([tmp_path]), SpillFolders([tmp_path])
    with first.create("a"), second.create("b"):
        assert len(_folders(tmp_path)) == 2
        sweep(tmp_path)
        assert len(_folders(tmp_path)) == 2
    first.close()
    assert _folders(tmp_path) == [second.folder.name]
    second.close()


def test_the_folder_of_an_engine_that_was_killed_is_swept_by_the_next(tmp_path):
    code = """
import sys, time
from pathlib import Path
from brim.io.spill.folders import SpillFolders
spill = SpillFolders([Path(sys.argv[1])])
file = spill.create("run")
file.write(bytes(1 << 20)); file.flush()
(spill.folder / "named").write_bytes(b"a worker's payload")
print("ready", flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as killed:
        assert killed.stdout.readline() == b"ready\n"
        (left,) = tmp_path.iterdir()
        sweep(tmp_path)
        assert left.exists(), "its owner lives"
        os.kill(killed.pid, signal.SIGKILL)
    assert _folders(left) == ["named", LOCK]
    spill = SpillFolders([tmp_path])
    assert spill.folder != left
    assert _folders(tmp_path) == [spill.folder.name]
    spill.close()


def test_the_sweep_touches_nothing_that_is_not_an_engines(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / f"{PREFIX}notes.txt").write_text("kept")
    (tmp_path / f"{PREFIX}folder").mkdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.touch()
    (tmp_path / f"{PREFIX}link").mkdir()
    (tmp_path / f"{PREFIX}link" / LOCK).symlink_to(elsewhere)
    before = _folders(tmp_path)
    sweep(tmp_path)
    assert _folders(tmp_path) == before
    sweep(tmp_path / "missing")


@pytest.mark.parametrize("number", [ENOSPC, EDQUOT])
def test_a_full_disk_is_told_with_the_remedy(tmp_path, number):
    with pytest.raises(SpillDiskFull, match="free some disk") as full, disk_errors(tmp_path, 12):
        raise OSError(number, os.strerror(number))
    assert (full.value.folder, full.value.needed_bytes) == (str(tmp_path), 12)
    assert full.value.free_bytes > 0
    with pytest.raises(OSError, match="Input/output error"), disk_errors(tmp_path, 12):
        raise OSError(EIO, os.strerror(EIO))


def test_a_folder_that_cannot_be_made_says_so(tmp_path):
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(OSError, match="file"):
        SpillFolders([blocked / "below"]).create("run")
