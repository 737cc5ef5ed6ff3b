"""Outcomes: every case run once, in a folder of its own, with one server for all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from anyio.from_thread import start_blocking_portal
from servers.faulty_http import FaultyServer, faulty_server
from servers.raw_http import raw_server

from . import expressions, files, functions, iterables, memory, network, payloads, sinks, text  # noqa: F401
from .table import CASES, Outcome, Place, run


@dataclass
class Outcomes:
    """What has come of the cases that were asked for."""

    folder: Path
    server: FaultyServer
    raw_port: int
    known: dict[str, tuple[Outcome, str]] = field(default_factory=dict)

    def place(self, case: str) -> Place:
        made = Place(self.folder / case, self.server, self.raw_port, case)
        made.folder.mkdir(exist_ok=True)
        return made

    def of(self, case_id: str) -> tuple[Outcome, str]:
        """The outcome of a case, and its text as it may be shown."""
        if case_id not in self.known:
            place, case = self.place(case_id), next(case for case in CASES if case.id == case_id)
            made = run(case, place)
            self.known[case_id] = made, place.shown(made.text)
        return self.known[case_id]


@contextmanager
def outcomes_in(folder: Path) -> Iterator[Outcomes]:
    """Runs cases in `folder` while it is entered."""
    (folder / "spill").mkdir()
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(faulty_server()) as server,
        portal.wrap_async_context_manager(raw_server()) as raw_port,
    ):
        yield Outcomes(folder, server, raw_port)
