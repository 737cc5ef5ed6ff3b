"""A scan closes what it reads, however it ends: a file may be open between two units."""

from __future__ import annotations

import anyio
import pyarrow as pa
import pytest
from kit import Collected, FakeStage, RealThreads

from brim.io.scan import Scan
from brim.operators.protocol import ReaderGone


class Unit:
    decoder_bytes, place = 0, "here"

    def read(self, batch_bytes):
        yield pa.RecordBatch.from_pydict({"id": [1, 2, 3]})


class Reader:
    """Holds something open while its units are asked for; who keeps them does not keep it open."""

    decoder_bytes, one_by_one = 0, False

    def __init__(self, count):
        self.count, self.open, self.kept = count, False, []

    def units(self):
        self.kept.append(self._units())
        return self.kept[-1]

    def _units(self):
        self.open = True
        try:
            for _ in range(self.count):
                yield Unit()
        finally:
            self.open = False


@pytest.mark.parametrize(("limit", "batches"), [(None, None), (None, 2), (4, None)])
def test_units_are_closed_at_the_end_when_the_reader_goes_and_at_a_limit(limit, batches):
    async def main():
        out = Collected(limit=batches)
        try:
            await Scan(reader, limit).run([], out, FakeStage(threads=RealThreads()))
        except* ReaderGone:
            pass

    reader = Reader(20)
    anyio.run(main)
    assert reader.kept
    assert not reader.open


def test_units_are_closed_when_the_scan_is_cancelled():
    class Full(Collected):
        async def send(self, batch, loan=None):
            full.set()
            await anyio.sleep_forever()

    async def main():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(Scan(reader).run, [], Full(), FakeStage(threads=RealThreads()))
            await full.wait()
            assert reader.open
            tasks.cancel_scope.cancel()

    reader, full = Reader(20), anyio.Event()
    anyio.run(main)
    assert not reader.open


@pytest.mark.parametrize(("is_asked", "units"), [(True, {0, 1}), (False, {0})])
def test_nothing_is_read_ahead_before_somebody_asks(is_asked, units):
    class Blocked(Collected):
        async def send(self, batch, loan=None):
            blocked.set()
            await anyio.sleep_forever()

    class Noted(Unit):
        def __init__(self, number):
            self.number = number

        def read(self, batch_bytes):
            read.add(self.number)
            yield from super().read(batch_bytes)

    class Numbered(Reader):
        def _units(self):
            yield from map(Noted, range(self.count))

    async def main():
        async with anyio.create_task_group() as tasks:
            stage = FakeStage(threads=RealThreads(2))
            tasks.start_soon(Scan(Numbered(3)).run, [], Blocked(is_asked=is_asked), stage)
            await blocked.wait()
            await anyio.wait_all_tasks_blocked()
            with anyio.fail_after(10):
                while not read >= units:  # a thread may be about to read
                    await anyio.lowlevel.checkpoint()
            await stage.threads.run(int)
            tasks.cancel_scope.cancel()

    blocked, read = anyio.Event(), set()
    anyio.run(main)
    assert read == units
