"""Disks: all bytes go out and come back however the calls are cut."""

from __future__ import annotations

import os
from errno import ENOSPC

import pytest
from faulty_disk import FaultyDisk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brim.io.spill.disk import RealDisk, read_all, write_all
from brim.io.spill.packing import CODEC, PLAIN_BLOCKS, Packing


@given(st.lists(st.binary(max_size=50), max_size=30), st.integers(1, 40), st.integers(0, 100))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_pieces_are_written_and_read_whole_however_short_the_calls_are(tmp_path, pieces, short, offset):
    disk = FaultyDisk(short=short)
    fd = disk.open_nameless(tmp_path)
    write_all(disk, fd, [memoryview(piece) for piece in pieces if piece], offset)
    found = bytearray(sum(map(len, pieces)))
    assert read_all(disk, fd, memoryview(found), offset) == len(found)
    assert found == b"".join(pieces)
    assert read_all(disk, fd, memoryview(bytearray(10)), offset + len(found)) == 0
    os.close(fd)


def test_more_pieces_than_one_call_takes(tmp_path):
    disk = RealDisk()
    fd = disk.open_nameless(tmp_path)
    write_all(disk, fd, [memoryview(b"%04d" % number) for number in range(3000)], 0)
    assert os.pread(fd, 12_000, 0) == b"".join(b"%04d" % number for number in range(3000))
    os.close(fd)


def test_a_disk_that_takes_nothing_is_full(tmp_path):
    class Stuck(RealDisk):
        def pwrite(self, fd, pieces, offset):
            return 0

    with pytest.raises(OSError, match="space") as full:
        write_all(Stuck(), 0, [memoryview(b"x")], 0)
    assert full.value.errno == ENOSPC


def test_a_hole_reads_as_zeros_and_the_file_stays_as_long(tmp_path):
    disk = RealDisk()
    fd = disk.open_nameless(tmp_path)
    os.pwrite(fd, b"x" * 3 * 4096, 0)
    assert disk.punch(fd, 4096, 4096)
    assert os.pread(fd, 5 * 4096, 0) == b"x" * 4096 + bytes(4096) + b"x" * 4096
    os.close(fd)
    assert not disk.punch(fd, 0, 4096), "a closed file"


def test_files_have_no_name_and_one_owner(tmp_path):
    fd = RealDisk().open_nameless(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert os.fstat(fd).st_mode & 0o777 == 0o600
    assert not os.get_inheritable(fd)
    os.close(fd)


def test_room_is_that_of_the_parent_where_a_folder_is_not_made_yet(tmp_path):
    disk, missing = RealDisk(), tmp_path / "not" / "yet"
    assert disk.device(missing) == tmp_path.stat().st_dev
    assert disk.free_bytes(missing) == pytest.approx(disk.free_bytes(tmp_path), rel=0.2)


def test_blocks_are_compressed_until_that_is_in_vain():
    packing = Packing()
    for packed in (10, 60, 66):
        assert packing.codec() == CODEC
        packing.learn(100, packed)
    packing.learn(100, 67)
    assert [packing.codec() for _ in range(PLAIN_BLOCKS + 1)] == [None] * PLAIN_BLOCKS + [CODEC]
