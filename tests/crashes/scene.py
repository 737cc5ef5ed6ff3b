"""A scene for crashes: one engine for many runs, and a look at what each of them leaves."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from anyio.from_thread import BlockingPortal, start_blocking_portal
from leaks import nothing_left

import brim
from brim import col

from .acts import array_of, batch_of, row_of

MARK = "BRIM_TESTS_MARK"  # in the environment of every process that comes of a scene, wherever it hides
INT = pa.int64()
MADE = pa.schema([("id", INT), ("made", INT)])
ROWS, BATCH = 4, 2
FDS_OF_A_WORKER = 4  # channel, output, process, line to the template
WITHIN_S = 5.0


@dataclass(frozen=True)
class Outcome:
    """What came of a run: an error, which is the cause of a `StageFailed` where there is one, or rows and a report."""

    error: BaseException | None = None
    failed: brim.StageFailed | None = None
    rows: tuple[tuple[int, Any], ...] = ()
    report: brim.Report | None = None
    letters: tuple[dict[str, Any], ...] = ()

    @property
    def errors(self) -> int:
        assert self.report is not None
        return sum(operator.errors for operator in self.report.operators)

    @property
    def text(self) -> str:
        """What a user reads: the error, or the report and the dead letters, which have the words."""
        if self.error is not None:
            return str(self.failed or self.error)
        assert self.report is not None
        return "\n".join([*self.report.errors, *(letter["error"] for letter in self.letters)])


def _with_letters(outcome: Outcome, options: dict[str, Any]) -> Outcome:
    if "dead_letter" not in options or outcome.error is not None or not outcome.errors:
        return outcome
    letters = pq.read_table(options["dead_letter"]).to_pylist()
    return Outcome(rows=outcome.rows, report=outcome.report, letters=tuple(letters))


@dataclass(eq=False)
class Scene:
    """An engine, and what was there before it did anything."""

    portal: BlockingPortal
    engine: brim.Engine
    folder: Path
    mark: str
    events: list[dict[str, Any]]
    descriptors: int = 0
    _letters: int = 0

    def run(self, pipeline: brim.Pipeline, *, within_s: float = 60) -> Outcome:
        """Run `pipeline` to its end, or fail if it takes too long: a hang is a defect of its own."""
        return self.portal.call(partial(self._run, pipeline, within_s))

    async def _run(self, pipeline: brim.Pipeline, within_s: float) -> Outcome:
        import anyio

        try:
            with anyio.fail_after(within_s):
                async with self.engine.stream(pipeline) as batches:
                    rows = [row for batch in [batch async for batch in batches] for row in batch.to_pylist()]
                    return Outcome(rows=tuple((row["id"], row["made"]) for row in rows), report=batches.report)
        except TimeoutError:
            raise AssertionError(f"the run took longer than {within_s} s") from None
        except brim.StageFailed as failed:
            return Outcome(failed.__cause__, failed)
        except brim.BrimError as error:
            return Outcome(error)

    def act(self, kind: str, act: str, on_error: str, *, rows: int = ROWS, **options: Any) -> Outcome:
        """Run a function of `kind` that does `act` at the row `BAD`, with dead letters where rows are left out.

        In one worker at a time, unless `concurrency` says otherwise: another is that of `works`.
        """
        options.setdefault("concurrency", 1)
        if kind == "batch":
            made = partial(batch_of, act)
            return self.run(
                brim.range(rows).map_batches(made, schema=MADE, batch_size=BATCH, on_error=on_error, **options)
            )
        return self.call(kind, partial(array_of if kind == "udf" else row_of, act), on_error, rows=rows, **options)

    def call(
        self, kind: str, function: Callable[..., Any], on_error: str, *, rows: int = ROWS, **options: Any
    ) -> Outcome:
        """Run `function`, of `kind` udf or row, on the numbers from 0 up."""
        options = self._keeping(on_error, options)
        if kind == "udf":
            options.setdefault("batch_size", BATCH)
        declare = brim.udf if kind == "udf" else brim.row_udf
        made = declare(function, returns=INT, on_error=on_error, **options)
        return _with_letters(self.run(brim.range(rows).with_columns(made=made(col("id")))), options)

    def _keeping(self, on_error: str, options: dict[str, Any]) -> dict[str, Any]:
        """`options`, with a folder for dead letters where rows may fail."""
        if on_error == "raise":
            return options
        self._letters += 1
        return {**options, "dead_letter": str(self.folder / f"letters-{self._letters}")}

    def works(self) -> None:
        """The engine serves the next run, in workers."""
        good = self.act("udf", "nothing", "raise")
        assert good.error is None, good.text
        assert good.rows == tuple((n, 10 * n) for n in range(ROWS))

    def is_clean(self) -> None:
        """Within moments no zombie of ours, no orphan and no descriptor is left but those of workers that wait."""
        until = time.monotonic() + WITHIN_S
        while any(left := self._left()):
            if time.monotonic() > until:
                self._forget(left[1])
                raise AssertionError(f"left behind: zombies {left[0]}, orphans {left[1]}, descriptors {left[2]}")
            time.sleep(0.01)  # the kernel reaps, and loops take their turns

    def _forget(self, orphans: list[int]) -> None:
        """Let the next test be judged by itself."""
        self.descriptors = _descriptors() - FDS_OF_A_WORKER * len(self.workers())
        for pid in orphans:
            _kill(pid)

    def workers(self) -> set[int]:
        """The processes that wait for the next run."""
        shared = self.engine._shared
        return {facts.pid for facts in shared.pools.facts} if shared is not None else set()

    def _left(self) -> tuple[list[int], list[int], int]:
        workers, ours = self.workers(), psutil.Process().children(recursive=True)
        zombies = [child.pid for child in ours if _is_zombie(child) and _parent(child) not in workers]
        orphans = sorted(marked(self.mark) - {child.pid for child in ours} - {os.getpid()})
        descriptors = _descriptors() - self.descriptors - FDS_OF_A_WORKER * len(workers)
        return zombies, orphans, max(0, descriptors)


@contextmanager
def scene_in(folder: Path, **settings: Any) -> Iterator[Scene]:
    """An engine in `folder`; when it is left nothing may remain: no process, thread, descriptor or file of its own."""
    mark, spill, events = str(uuid.uuid4()), folder / "spill", []
    settings = {"memory": "512MiB", "processes": 2, "threads": 2, "max_runs": 1, "progress": False, **settings}
    os.environ[MARK] = mark
    try:
        with nothing_left(spill, within_s=5), start_blocking_portal() as portal:
            engine = brim.Engine(spill_dir=spill, on_event=events.append, **settings)
            with portal.wrap_async_context_manager(engine):
                scene = Scene(portal, engine, folder, mark, events)
                scene.works()
                scene.descriptors = _descriptors() - FDS_OF_A_WORKER * len(scene.workers())
                yield scene
        assert not marked(mark) - {os.getpid()}
    finally:
        del os.environ[MARK]
        for pid in marked(mark) - {os.getpid()}:
            _kill(pid)


def marked(mark: str) -> set[int]:
    """The processes, zombies aside, that began with `mark` in their environment, or were forked by one that did."""
    return {int(path.name) for path in Path("/proc").glob("[0-9]*") if mark in _environment(path)}


def _environment(process: Path) -> str:
    try:
        return (process / "environ").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def _kill(pid: int) -> None:
    try:
        os.kill(pid, 9)
    except ProcessLookupError:
        return


def _descriptors() -> int:
    """How many are open, but for those with which the engine looks at processes: it closes them at its next look."""
    return sum(not _target(path).startswith("/proc/") for path in Path("/proc/self/fd").iterdir())


def _target(descriptor: Path) -> str:
    try:
        return str(descriptor.readlink())
    except OSError:
        return "/proc/"  # the one of this very listing


def _is_zombie(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _parent(process: psutil.Process) -> int:
    try:
        return process.ppid()
    except psutil.NoSuchProcess:
        return 0
