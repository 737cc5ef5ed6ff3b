"""What a pool tells of its workers, to the stage it serves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from brim.events import Fact, WorkerEnded, WorkerMemory, WorkerOutput, WorkerRestarted, WorkerStarted
from brim.io.workers.process import WorkerProcess


@dataclass(eq=False, slots=True)
class Telling:
    """Facts about the workers of `function`; nobody is told while no stage is served."""

    function: str
    tell: Callable[[Fact], None] | None = None

    def started(self, worker: WorkerProcess) -> None:
        """Once, to the first stage that is served."""
        if worker.ready and not worker.told and self.tell is not None:
            facts = worker.facts
            worker.told = True
            self.tell(WorkerStarted(self.function, facts.pid, facts.base_bytes, facts.start_s))

    def ended(self, worker: WorkerProcess) -> None:
        """As it was meant to."""
        self._tell(WorkerEnded(self.function, worker.facts.pid, worker.end_reason))

    def restarted(self, worker: WorkerProcess, reason: str, deaths: int, wait_s: float) -> None:
        self._tell(WorkerRestarted(self.function, worker.facts.pid, reason, deaths, wait_s))

    def memory(self, worker: WorkerProcess, action: str, held_bytes: int, workers: int) -> None:
        """What was done about `worker`, which held so much; there may be so many `workers` now."""
        lent = worker.memory.lent_bytes
        self._tell(WorkerMemory(self.function, worker.facts.pid, action, held_bytes, lent, workers))

    def output(self, worker: WorkerProcess, text: str, dropped_bytes: int) -> None:
        self._tell(WorkerOutput(self.function, worker.facts.pid, text, dropped_bytes))

    def _tell(self, fact: Fact) -> None:
        if self.tell is not None:
            self.tell(fact)
