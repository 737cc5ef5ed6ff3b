"""Progress on real terminals: shown where somebody looks, silent elsewhere, and never in the way of the run."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import io
import os
import pty
import re
import struct
import sys
import termios
import threading
import time

import pyarrow as pa
import pytest

import brim

SCHEMA = pa.schema([("n", pa.int64())])
ERASED, LINE_UP = "\x1b[2K", "\x1b[1A"
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A pseudo terminal that takes the place of the standard streams; what is written is kept once it is read."""

    def __init__(self, monkeypatch, width=80, height=30):
        self.monkeypatch = monkeypatch
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        self.file = os.fdopen(slave, "w")
        self.written = b""
        self.reader = threading.Thread(target=self._read)

    def take_streams(self):
        """Called in the test itself: pytest has its own streams before."""
        self.monkeypatch.setattr(sys, "stderr", self.file)
        self.monkeypatch.setattr(sys, "stdout", self.file)

    def watch(self):
        self.take_streams()
        self.reader.start()

    def _read(self):
        with contextlib.suppress(OSError):  # how a pseudo terminal ends
            while piece := os.read(self.master, 65536):
                self.written += piece

    def fill(self):
        """Write until nothing more fits, as when somebody has pressed Ctrl-S."""
        os.set_blocking(self.file.fileno(), False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(self.file.fileno(), b"." * 64)
        os.set_blocking(self.file.fileno(), True)

    def text(self):
        """All that was written, the frames one after another, without colours and movements."""
        self.file.close()
        self.reader.join()
        os.close(self.master)
        return ESCAPES.sub("", self.written.decode().replace(ERASED, "\n")).replace("\r", "")


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    return Terminal(monkeypatch)


def _numbers(on_batch=lambda number: None, count=3, pause_s=0.15):
    async def batches():
        for number in range(count):
            await asyncio.sleep(pause_s)  # long enough for a picture in between
            on_batch(number)
            yield pa.record_batch({"n": pa.array([number] * 10)})

    return brim.from_batches(batches, SCHEMA)


def test_a_terminal_gets_pictures_and_what_is_printed_meanwhile_stays_whole(terminal, tmp_path):
    terminal.watch()
    report = _numbers(lambda number: sys.stdout.write(f"line {number} of the program\n"), count=4).run_blocking(
        memory="64MiB", spill_dir=tmp_path
    )
    text = terminal.text()
    assert report.rows == 40
    frames = text.split("operator")[1:]
    assert len(frames) >= 3
    assert any(re.search("from_batches +[123]0 ", frame) for frame in frames[:-1])
    assert "✓ done" not in frames[0]
    assert re.search(r"from_batches +40 .*✓ done", frames[-1])
    for number in range(4):
        assert f"\nline {number} of the program\n" in f"\n{text}"
    assert terminal.written.count(b"\x1b[?25l") == terminal.written.count(b"\x1b[?25h") == 1  # the cursor is back
    assert max(len(line) for line in text.splitlines()) <= 80


def test_the_picture_names_what_is_slowest_and_how_fast_it_goes(terminal, tmp_path):
    def slowly(batch):
        time.sleep(0.1)
        return batch

    terminal.watch()
    numbers = _numbers(count=12, pause_s=0).map_batches(slowly, backend="thread", concurrency=1, batch_size=10)
    numbers.filter(brim.col("n") >= 0).run_blocking(memory="64MiB", spill_dir=tmp_path)
    last = terminal.text().split("operator")[-1]
    assert re.search(r"\nslowest  map_batches \(cpu\), for \d+% of the waiting", last)
    assert re.search(r"\nrows     ━+  120 of 120 in \d s, [\d.]+ rows/s\n", last)


def test_a_run_that_never_begins_says_that_it_starts_and_leaves_nothing(terminal, tmp_path):
    @brim.udf(returns=pa.int64())
    class Broken:
        def __init__(self):
            time.sleep(0.6)  # long enough for a picture in between
            raise ValueError("no model")

        def __call__(self, numbers):
            return numbers

    terminal.watch()
    with pytest.raises(brim.UdfError, match="no model"):
        _numbers().with_columns(v=Broken()(brim.col("n"))).run_blocking(memory="512MiB", spill_dir=tmp_path)
    text = terminal.text()
    assert "starting, " in text
    assert "operator" not in text
    written = terminal.written.decode().rpartition("starting")[2]
    assert written.endswith(f"\r{LINE_UP}{ERASED}")
    assert written.count("\n") == written.count(LINE_UP)


def test_a_run_that_fails_shows_where(terminal, tmp_path):
    def fail(number):
        if number:
            raise ValueError("the tape is torn")

    terminal.watch()
    with pytest.raises(brim.StageFailed):
        _numbers(fail).run_blocking(memory="64MiB", spill_dir=tmp_path)
    assert "✗ failed" in terminal.text().split("operator")[-1]


def test_a_run_that_is_left_shows_that_it_was_stopped(terminal, tmp_path):
    terminal.watch()
    with _numbers(count=1000).stream_blocking(memory="64MiB", spill_dir=tmp_path) as batches:
        next(batches)
    assert "stopped" in terminal.text().split("operator")[-1]


@pytest.mark.parametrize("settings", [{"progress": False}, {"progress": None, "TERM": "dumb"}])
def test_a_terminal_gets_nothing_where_it_is_not_wanted_or_cannot_move_its_cursor(
    terminal, tmp_path, monkeypatch, settings
):
    monkeypatch.setenv("TERM", settings.get("TERM", "xterm"))
    terminal.watch()
    _numbers().run_blocking(memory="64MiB", spill_dir=tmp_path, progress=settings["progress"])
    assert terminal.text() == ""


def test_an_engine_in_a_service_shows_nothing_unless_asked(terminal, tmp_path):
    terminal.watch()
    asyncio.run(_numbers().run(memory="64MiB", spill_dir=tmp_path))
    assert terminal.text() == ""


@pytest.mark.parametrize("progress", [None, True])
def test_where_there_is_no_terminal_only_a_last_picture_that_was_asked_for_is_written(monkeypatch, tmp_path, progress):
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on build servers
    file = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    monkeypatch.setattr(sys, "stderr", file)
    _numbers().run_blocking(memory="64MiB", spill_dir=tmp_path, progress=progress)
    text = file.buffer.getvalue().decode()
    assert "\x1b" not in text
    assert text.count("operator") == (1 if progress else 0)
    assert ("✓ done" in text) is bool(progress)


def test_a_terminal_that_stands_still_holds_up_the_picture_and_not_the_run(terminal, tmp_path):
    terminal.take_streams()
    terminal.fill()
    taken = []

    async def main():
        async with _numbers().stream(memory="64MiB", spill_dir=tmp_path, progress=True) as batches:
            async with asyncio.timeout(10):
                async for batch in batches:
                    taken.append(batch.num_rows)
            assert taken == [10, 10, 10]
            terminal.reader.start()  # somebody presses Ctrl-Q

    asyncio.run(main())
    assert "✓ done" in terminal.text()


def test_a_terminal_that_goes_away_ends_the_picture_and_not_the_run(terminal, tmp_path):
    def hang_up(number):
        if number == 1:
            os.close(terminal.master)

    terminal.take_streams()
    report = _numbers(hang_up, count=4).run_blocking(memory="64MiB", spill_dir=tmp_path)
    assert report.rows == 40
    with contextlib.suppress(OSError):
        terminal.file.close()


def test_two_runs_of_an_engine_are_shown_one_after_another(terminal, tmp_path):
    terminal.watch()

    async def main():
        async with (
            brim.Engine(memory="256MiB", spill_dir=tmp_path, progress=True) as engine,
            asyncio.TaskGroup() as tasks,
        ):
            tasks.create_task(engine.run(_numbers(count=3)))
            await asyncio.sleep(0.05)
            tasks.create_task(engine.run(_numbers(count=8).into_batches(5)))

    asyncio.run(main())
    frames = terminal.text().split("operator")[1:]
    both = ["into_batches" in frame for frame in frames]
    assert both == sorted(both)
    assert set(both) == {False, True}
