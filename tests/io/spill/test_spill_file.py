"""Spill files: what is written comes back or is told, in any order; disk space is counted, and comes back too."""

from __future__ import annotations

import os
import random
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from errno import EDQUOT, EIO, ENOSPC
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from faulty_disk import FaultyDisk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from spill_batches import batches

from brim.errors import CorruptInput, SpillDiskFull
from brim.io.spill.folders import SpillFolders
from brim.sizes import KIB, MIB, held_bytes

SLOW = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
SCHEMA = pa.schema([("x", pa.int64()), ("s", pa.string())])


def batch_of(number, rows=1000):
    draw = random.Random(number)
    return pa.record_batch(
        [[draw.getrandbits(62) for _ in range(rows)], [f"word {draw.getrandbits(20)}" for _ in range(rows)]],
        schema=SCHEMA,
    )


BATCHES = [batch_of(number, rows) for number, rows in enumerate([0, 1, 10, 700, 5000, 20_000])]


@pytest.fixture
def space(tmp_path):
    space = SpillFolders([tmp_path])
    yield space
    space.close()
    assert space.quota.used == 0
    assert list(tmp_path.iterdir()) == []


def is_valid(batch):
    """Whether pyarrow made it well: below nulls of structs it makes indices of nothing."""
    try:
        batch.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


@given(batches())
@settings(max_examples=250, deadline=None, suppress_health_check=SLOW)
def test_a_batch_of_any_type_comes_back_as_it_was(space, batch):
    file = space.open("any", batch.schema)
    for codec_is_tried in (True, False):
        file._packing._plain = 0 if codec_is_tried else 1
        block = file.write(batch)
        back = file.read(block)
        if is_valid(batch):
            back.validate(full=True)
        assert back.schema.equals(batch.schema, check_metadata=True)
        assert back.to_pylist() == batch.to_pylist()
        assert block.rows == batch.num_rows
        assert held_bytes(back) <= block.memory_bytes
    file.close()


def test_blocks_are_read_in_any_order_as_often_as_one_likes(space):
    file = space.open("sort", SCHEMA)
    blocks = [(file.write(batch), batch) for batch in BATCHES * 3]
    random.Random(1).shuffle(blocks)
    for block, batch in blocks * 2:
        assert file.read(block).equals(batch)
    assert file.disk_bytes == file.written_bytes == sum(block.disk_bytes for block, _ in blocks)


def test_threads_read_and_free_while_another_writes(space):
    file, blocks, ends = space.open("join", SCHEMA), [], threading.Event()
    wanted = [BATCHES[number % len(BATCHES)] for number in range(60)]

    def write():
        for batch in wanted:
            blocks.append(file.write(batch))
        ends.set()

    def read(remainder):
        number = 0
        while not ends.is_set() or number < len(blocks):
            if number < len(blocks):
                if number % 3 == remainder:
                    assert file.read(blocks[number]).equals(wanted[number])
                    file.free(blocks[number])
                number += 1
        return number

    with ThreadPoolExecutor(4) as threads:
        writing = threads.submit(write)
        reading = [threads.submit(read, remainder) for remainder in range(3)]
        writing.result()
        assert [done.result() for done in reading] == [60] * 3
    assert file.disk_bytes == space.quota.used == 0
    assert file.written_bytes > 0


def allocated(fd):
    os.fsync(fd)
    return os.fstat(fd).st_blocks * 512


def test_freeing_a_block_gives_its_disk_space_back_at_once(space):
    file = space.open("sort", SCHEMA)
    blocks = [file.write(batch_of(number, 20_000)) for number in range(6)]
    (part,) = file._parts
    whole = allocated(part.fd)
    assert whole >= file.disk_bytes
    for block in blocks[::2]:
        before, counted = allocated(part.fd), file.disk_bytes
        file.free(block)
        file.free(block)
        assert counted - file.disk_bytes == block.disk_bytes
        assert before - allocated(part.fd) >= block.disk_bytes
    for number, block in enumerate(blocks):
        if number % 2:
            assert file.read(block).equals(batch_of(number, 20_000))
    for block in blocks:
        file.free(block)
    assert file.disk_bytes == space.quota.used == 0
    assert allocated(part.fd) < whole // 10


def test_where_space_cannot_come_back_it_counts_until_the_file_is_closed(tmp_path):
    space = SpillFolders([tmp_path], disk=FaultyDisk(can_punch=False))
    file = space.open("sort", SCHEMA)
    block = file.write(BATCHES[-1])
    file.free(block)
    assert file.disk_bytes == space.quota.used == block.disk_bytes
    file.close()
    assert space.quota.used == 0
    space.close()


def test_a_closed_file_counts_nothing_and_can_be_closed_again(space):
    file = space.open("sort", SCHEMA)
    block = file.write(BATCHES[-1])
    file.close()
    file.close()
    file.free(block)
    assert (file.disk_bytes, space.quota.used) == (0, 0)
    for use in (lambda: file.write(BATCHES[0]), lambda: file.read(block)):
        with pytest.raises(ValueError, match="closed"):
            use()


@pytest.mark.parametrize("number", [ENOSPC, EDQUOT])
@pytest.mark.parametrize("failing", range(1, 13))
def test_a_disk_that_is_full_at_the_nth_write_is_told_and_what_was_written_is_there(tmp_path, number, failing):
    disk = FaultyDisk(failing_writes={failing: number}, short=64 * KIB)
    space = SpillFolders([tmp_path], disk=disk)
    file, written, told = space.open("sort", SCHEMA), [], []
    for batch in BATCHES:
        try:
            written.append((file.write(batch), batch))
        except SpillDiskFull as full:
            written.append((file.write(batch), batch))  # there is room again
            told.append((full, written[-1][0].disk_bytes))
    ((full, size),) = told
    assert (full.folder, full.needed_bytes) == (str(tmp_path), size)
    assert full.free_bytes == pytest.approx(disk.free_bytes(tmp_path), rel=0.5)
    for block, batch in written:
        assert file.read(block).equals(batch)
    assert space.quota.used == sum(block.disk_bytes for block, _ in written)
    assert len(disk.pages[tmp_path]) * 4 * KIB == space.quota.used
    space.close()


def test_a_write_error_that_is_no_lack_of_room_names_the_folder(tmp_path):
    space = SpillFolders([tmp_path], disk=FaultyDisk(failing_writes={2: EIO}))
    file = space.open("sort", SCHEMA)
    block = file.write(BATCHES[3])
    with pytest.raises(OSError, match="Input/output error") as failed:
        file.write(BATCHES[4])
    assert failed.value.filename == str(tmp_path)
    assert file.read(block).equals(BATCHES[3])
    assert space.quota.used == block.disk_bytes
    space.close()


FAULTS = {
    "Input/output error": lambda number: {"failing_reads": {number: EIO}},
    "checksum": lambda number: {"flipped_reads": (number,)},
    "ends after": lambda number: {"cut_reads": (number,)},
}


@pytest.mark.parametrize("reason", FAULTS)
@pytest.mark.parametrize("failing", range(1, 9))
def test_a_read_that_goes_wrong_is_told_with_its_place_and_never_a_wrong_row(tmp_path, reason, failing):
    disk = FaultyDisk(short=64 * KIB, **FAULTS[reason](failing))
    space = SpillFolders([tmp_path], disk=disk)
    file, told = space.open("join-3", SCHEMA), []
    blocks = [(file.write(batch), batch) for batch in BATCHES]
    for block, batch in blocks:
        try:
            assert file.read(block).equals(batch)
        except CorruptInput as corrupt:
            told.append((corrupt, block))
            assert file.read(block).equals(batch), "the next time it goes well"
    ((corrupt, block),) = told
    assert corrupt.source == f"spill file join-3 in {tmp_path}"
    assert corrupt.where == f"block at byte {block.offset:,}"
    assert reason in corrupt.reason
    space.close()


@given(st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=SLOW)
def test_any_flipped_bit_in_a_block_is_found(space, data):
    file = space.open("sort", SCHEMA)
    block = file.write(data.draw(st.sampled_from(BATCHES)))
    fd = file._parts[0].fd
    place = block.offset + data.draw(st.integers(0, block.disk_bytes - 1))
    (value,) = os.pread(fd, 1, place)
    os.pwrite(fd, bytes([value ^ 1 << data.draw(st.integers(0, 7))]), place)
    with pytest.raises(CorruptInput, match="checksum"):
        file.read(block)
    file.close()


def test_a_truncated_file_is_told(space):
    file = space.open("sort", SCHEMA)
    block = file.write(BATCHES[-1])
    os.ftruncate(file._parts[0].fd, block.disk_bytes - 1)
    with pytest.raises(CorruptInput, match="ends after"):
        file.read(block)


def test_blocks_that_do_not_shrink_are_written_as_they_are(space):
    numbers = np.random.default_rng(0).integers(0, 2**62, 100_000)
    noise, calm = pa.record_batch({"x": numbers}), pa.record_batch({"x": numbers // 2**52})
    file = space.open("sort", noise.schema)
    assert file.write(calm).disk_bytes < 0.5 * calm.nbytes
    sizes = [file.write(batch).disk_bytes for batch in [noise, *[calm] * 16]]
    assert all(size >= calm.nbytes for size in sizes[:16]), "fifteen after the one that did not shrink"
    assert sizes[16] < 0.5 * calm.nbytes, "then it is tried again"


def test_a_block_takes_no_more_than_what_its_slice_shows(space):
    words = pa.array([f"a word that is long enough {number}" for number in range(20_000)])
    batch = pa.record_batch({"plain": words, "dictionary": words.dictionary_encode()})
    file = space.open("sort", batch.schema)
    block = file.write(batch.slice(10_000, 10))
    assert block.disk_bytes == 4 * KIB
    assert block.memory_bytes < 4 * KIB
    assert file.read(block).to_pylist() == batch.slice(10_000, 10).to_pylist()


def test_writing_and_reading_hold_what_they_say(space):
    """Arrow's own counters: a plain block is written from where it lies, a read takes one buffer."""
    noise = pa.record_batch({"x": np.random.default_rng(0).integers(0, 2**62, MIB)})
    file = space.open("sort", noise.schema)
    file._packing._plain = 2
    before = pa.default_memory_pool().total_bytes_allocated()
    block = file.write(noise)
    assert pa.default_memory_pool().total_bytes_allocated() - before < 64 * KIB
    file.write(noise.slice(5, 1000))
    packed = file.write(noise)
    assert pa.default_memory_pool().total_bytes_allocated() - before < 1.1 * noise.nbytes
    assert block.memory_bytes == block.disk_bytes < noise.nbytes + 8 * KIB
    assert packed.memory_bytes < noise.nbytes + KIB


class Quotas(RuleBasedStateMachine):
    """The law: what is counted is what lives, and never more than the limit."""

    LIMIT = 300 * KIB

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.space = SpillFolders([Path(self.folder.name)], self.LIMIT)
        self.files = [self.space.open(name, SCHEMA) for name in "ab"]
        self.live, self.told = {}, True

    @rule(which=st.integers(0, 1), rows=st.integers(0, 6000))
    def write(self, which, rows):
        batch = batch_of(rows, rows)
        try:
            self.live[which, self.files[which].write(batch)] = batch
        except SpillDiskFull as full:
            left = self.LIMIT - self.space.quota.used
            self.told = (full.free_bytes, full.needed_bytes) == (left, max(left + 1, full.needed_bytes))

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def free(self, data):
        which, block = data.draw(st.sampled_from(list(self.live)))
        assert self.files[which].read(block).equals(self.live.pop((which, block)))
        self.files[which].free(block)

    @rule(which=st.integers(0, 1))
    def start_again(self, which):
        self.files[which].close()
        self.files[which] = self.space.open("again", SCHEMA)
        self.live = {key: batch for key, batch in self.live.items() if key[0] != which}

    @invariant()
    def what_is_used_is_what_lives(self):
        sizes = [sum(block.disk_bytes for number, block in self.live if number == which) for which in (0, 1)]
        assert [file.disk_bytes for file in self.files] == sizes
        assert self.space.quota.used == sum(sizes) <= self.LIMIT
        assert self.told, "what is free is told, and it is too little"

    def teardown(self):
        for (which, block), batch in self.live.items():
            assert self.files[which].read(block).equals(batch)
        self.space.close()
        assert self.space.quota.used == 0
        self.folder.cleanup()


TestQuotas = Quotas.TestCase
TestQuotas.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
