"""Payloads: any batch comes back equal, is copied once, and cannot be changed."""

import mmap
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from udf_kit import descriptors, payloads_mapped

from brim.io.workers.payload import MAPPED_FROM, Payload, read_batch, read_bytes

LARGE = pa.record_batch({"text": pa.array([str(n) * 200 for n in range(5000)])})


def sent(batch):
    payload = Payload.create()
    payload.write(batch)
    fd = os.dup(payload.fd)
    payload.close()
    return read_batch(fd)


def test_nested_dictionary_sliced_and_empty_batches_come_back_equal():
    batch = pa.record_batch(
        {
            "nested": pa.array([{"a": [1, None]}, None, {"a": []}]),
            "words": pa.array(["x", "y", "x"]).dictionary_encode(),
            "tensor": pa.FixedShapeTensorArray.from_numpy_ndarray(np.arange(12.0).reshape(3, 2, 2)),
        }
    )
    for part in (batch, batch.slice(1, 1), batch.slice(0, 0)):
        assert sent(part).equals(part)


def test_only_the_rows_that_are_seen_are_written():
    payload = Payload.create()
    payload.write(LARGE.slice(100, 10))
    assert os.fstat(payload.fd).st_size < 20_000
    payload.close()


def test_a_large_batch_is_written_once_and_read_without_a_copy():
    def written():
        return int(Path("/proc/self/io").read_text().split("wchar: ")[1].split()[0])

    before, pool = written(), pa.total_allocated_bytes()
    batch = sent(LARGE)
    assert LARGE.nbytes <= written() - before < LARGE.nbytes + 100_000
    assert pa.total_allocated_bytes() - pool < 100_000
    data = batch["text"].buffers()[2]
    assert any(start <= data.address < stop for start, stop in payloads_mapped())
    assert batch.equals(LARGE)


def test_small_batches_leave_no_mapping_and_no_descriptor():
    before = descriptors()
    small = [sent(LARGE.slice(0, 5)) for _ in range(20)]
    assert small[0].nbytes < MAPPED_FROM
    assert payloads_mapped() == []
    assert descriptors() == before


def test_a_mapped_batch_outlives_its_descriptor_and_leaves_nothing():
    before = descriptors()
    batch = sent(LARGE)
    assert descriptors() == before
    column = batch["text"]
    del batch
    assert column[4999].as_py() == "4999" * 200
    del column
    assert payloads_mapped() == []


def test_what_was_written_cannot_be_changed_or_shortened():
    payload = Payload.create()
    payload.write_bytes(b"sealed")
    changes = (
        lambda: os.pwrite(payload.fd, b"x", 0),
        lambda: os.ftruncate(payload.fd, 1),
        lambda: os.ftruncate(payload.fd, 9),
        lambda: mmap.mmap(payload.fd, 6),
    )
    for change in changes:
        with pytest.raises(PermissionError):
            change()
    assert read_bytes(os.dup(payload.fd)) == b"sealed"
    payload.close()
    payload.close()


def test_it_is_sealed_while_the_kernel_uses_a_page_of_it():
    payload = Payload.create()
    os.write(payload.fd, bytes(4096))
    reading, writing = os.pipe()
    os.splice(payload.fd, writing, 4096, offset_src=0)  # the page is in the pipe too
    payload._seal()
    with pytest.raises(PermissionError):
        os.pwrite(payload.fd, b"x", 0)
    for fd in (reading, writing):
        os.close(fd)
    payload.close()


def test_a_kernel_without_the_newer_seal_gets_the_older(monkeypatch):
    monkeypatch.setattr("brim.io.workers.payload._FUTURE_WRITE", 1 << 20)
    test_what_was_written_cannot_be_changed_or_shortened()


def test_without_anonymous_memory_a_file_without_a_name_does_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("brim.io.workers.payload.HAS_MEMFD", False)
    payload = Payload.create(str(tmp_path))
    payload.write(LARGE)
    assert list(tmp_path.iterdir()) == []
    assert read_batch(os.dup(payload.fd)).equals(LARGE)
    payload.close()
