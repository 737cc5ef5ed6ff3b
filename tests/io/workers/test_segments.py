"""Segments: batches come back equal from memory that is written again, and nobody who keeps one sees it change."""

import os

import numpy as np
import pyarrow as pa
import pytest
from udf_kit import descriptors

import brim
from brim import col
from brim.io.workers.payload import Payload
from brim.io.workers.segment_reader import SegmentReader
from brim.io.workers.segments import MOST_BYTES, Segments
from brim.sizes import MIB

KEEP = 64 * MIB
WORDS = pa.record_batch({"text": pa.array([str(n) * 200 for n in range(5000)])})


@pytest.fixture
def segments():
    made = Segments()
    yield made
    made.clear()
    assert not made.used


@pytest.fixture
def reader():
    return SegmentReader()


def sent(segments, reader, batch, keep_bytes=KEEP):
    segment = segments.take(batch, keep_bytes)
    segment.write(batch)
    return segment, reader.read(os.dup(segment.fd))


def memory_of(segment):
    return os.fstat(segment.fd).st_blocks * 512


def test_batches_of_all_kinds_come_back_equal_from_the_same_memory(segments, reader):
    nested = pa.record_batch(
        {
            "nested": pa.array([{"a": [1, None]}, None, {"a": []}]),
            "words": pa.array(["x", "y", "x"]).dictionary_encode(),
            "tensor": pa.FixedShapeTensorArray.from_numpy_ndarray(np.arange(12.0).reshape(3, 2, 2)),
        }
    )
    places = set()
    for batch in (WORDS, nested, nested.slice(1, 1), nested.slice(0, 0), WORDS.slice(7, 1000), WORDS):
        segment, got = sent(segments, reader, batch)
        assert got.equals(batch)
        del got
        assert reader.release()
        places.add(os.fstat(segment.fd).st_ino)
        segment.free()
    assert len(places) == 1


def test_a_batch_is_read_where_it_was_written(segments, reader):
    before = pa.total_allocated_bytes()
    segment, got = sent(segments, reader, WORDS)
    assert pa.total_allocated_bytes() - before < 100_000
    assert got["text"].buffers()[2].size > 2 * MIB
    segment.close()


def test_what_somebody_keeps_is_not_written_again(segments, reader):
    segment, got = sent(segments, reader, WORDS)
    kept = got["text"].slice(4999)
    del got
    assert not reader.release()
    reader.end()
    segment.close()
    other, _ = sent(segments, reader, WORDS.slice(0, 10))
    assert kept[0].as_py() == "4999" * 200
    assert memory_of(other) < MIB
    other.close()


def test_a_call_that_does_not_say_it_has_read_leaves_nothing_mapped(segments, reader):
    segment, got = sent(segments, reader, WORDS)
    del got
    reader.end()
    assert not reader._mapped
    segment.close()


def test_a_worker_without_work_keeps_nothing_mapped_and_finds_a_segment_again(segments, reader):
    segment, got = sent(segments, reader, WORDS)
    del got
    assert reader.release()
    segment.free()
    reader.forget()
    assert not reader._mapped
    again, got = sent(segments, reader, WORDS)
    assert again is segment
    assert got.equals(WORDS)
    again.close()


def test_workers_cannot_shorten_what_the_engine_writes(segments):
    segment = segments.take(WORDS, KEEP)
    for size in (0, 1 << 30):
        with pytest.raises(PermissionError):
            os.ftruncate(segment.fd, size)
    segment.close()


def test_free_memory_is_given_back_between_calls_and_at_the_end(segments, reader):
    taken = [sent(segments, reader, WORDS)[0] for _ in range(7)]
    for segment in taken[:6]:
        segment.free()
        assert memory_of(segment) >= WORDS.nbytes
    taken[6].free()
    assert sorted(memory_of(segment) > 0 for segment in taken) == [False] * 3 + [True] * 4
    before = descriptors()
    segments.clear()
    assert descriptors() == before - 2 * 7  # Python keeps one for each mapping


def test_a_batch_beyond_what_may_be_kept_gives_its_memory_back_at_once(segments, reader):
    segment, got = sent(segments, reader, WORDS, keep_bytes=MIB)
    del got
    segment.free()
    assert memory_of(segment) == 0
    again, got = sent(segments, reader, WORDS)
    assert again is segment
    assert got.equals(WORDS)
    again.close()


def test_a_batch_beyond_a_segment_travels_in_a_payload(segments, reader):
    large = pa.record_batch({"b": pa.array([bytes(MOST_BYTES)])})
    payload, got = sent(segments, reader, large)
    assert isinstance(payload, Payload)
    assert got.equals(large)
    assert not reader.release()
    payload.close()


class Keeper:
    """Keeps all it was given, and says the sum of it each time."""

    def __init__(self):
        self.kept = []

    def __call__(self, values):
        self.kept.append(values)
        return pa.array([sum(sum(one.to_pylist()) for one in self.kept)] * len(values))


def test_a_function_that_keeps_its_arguments_finds_them_unchanged():
    keeper = brim.udf(returns=pa.int64(), batch_size=10)(Keeper)
    table = pa.table({"x": range(200)})
    sums = brim.from_arrow(table).select(s=keeper(col("x"))).collect_blocking(memory="128MiB", processes=1)
    assert sums["s"].to_pylist()[-1] == sum(range(200))
