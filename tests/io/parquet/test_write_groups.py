"""Groups are encoded beside one another where memory is lent for that, and written in order however long each takes."""

from __future__ import annotations

import threading

import pyarrow as pa
import pyarrow.parquet as pq
from kit import FakeMemory, FakeStage, RealThreads, run_operator

from brim.io.parquet.write_parquet import parquet_sink
from brim.sizes import KIB, MIB

TABLE = pa.table({"id": range(40_000)})


class Meeting(RealThreads):
    """Two groups are encoded at the same time, or none is."""

    def __init__(self):
        self.barrier, self.encoded = threading.Barrier(2), 0

    async def run(self, function, *arguments):
        if function.__name__ != "encode":
            return await super().run(function, *arguments)
        self.encoded += 1
        return await super().run(self._met, function, *arguments)

    def _met(self, function, *arguments):
        self.barrier.wait(30)
        function(*arguments)


def write(path, memory, threads=None, **options):
    operator = parquet_sink(path, row_group_bytes=16 * KIB, **options).operator(TABLE.schema)
    stage = FakeStage(memory=memory, threads=threads or RealThreads())
    (made,) = run_operator(operator, TABLE.to_batches(max_chunksize=1000), stage=stage).batches
    assert memory.lent == 0
    return made


def test_two_groups_are_encoded_at_once_and_written_in_order(tmp_path):
    threads = Meeting()
    write(tmp_path / "a.parquet", FakeMemory(), threads)
    assert threads.encoded == 14
    found = pq.ParquetFile(tmp_path / "a.parquet")
    assert found.metadata.num_row_groups == 14  # three batches of 8000 bytes each, the last one
    assert found.read().equals(TABLE)


def test_without_memory_for_that_a_group_is_encoded_as_it_is_written(tmp_path):
    threads = Meeting()
    write(tmp_path / "a.parquet", FakeMemory(work_limit=4 * MIB), threads)
    assert threads.encoded == 0
    assert pq.read_table(tmp_path / "a.parquet").equals(TABLE)


def test_parts_of_a_folder_are_ended_in_order_with_groups_on_their_way(tmp_path):
    made = write(tmp_path / "out", FakeMemory(), max_file_bytes=20 * KIB)
    assert made.num_rows > 3
    assert pa.concat_tables([pq.read_table(path) for path in made["path"].to_pylist()]).equals(TABLE)
    assert sum(made["rows"].to_pylist()) == 40_000
