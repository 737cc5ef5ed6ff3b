"""How a worker process stands, for whoever asks an engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from brim.io.workers.process import WorkerProcess

State = Literal["starting", "idle", "busy", "ending"]


@dataclass(frozen=True, slots=True)
class WorkerStats:
    """One worker at one moment; sizes in bytes of its own memory.

    Attributes:
        function: whose worker it is.
        pid: its process.
        state: ``"starting"``, ``"idle"``, ``"busy"`` or ``"ending"``.
        base_bytes: when it was ready, before any call.
        held_bytes: after its last call.
        peak_bytes: the most in any call.
        calls: that it has answered.
        busy_s: seconds it has computed.
    """

    function: str
    pid: int
    state: State
    base_bytes: int
    held_bytes: int
    peak_bytes: int
    calls: int
    busy_s: float


def worker_stats(function: str, worker: WorkerProcess) -> WorkerStats:
    """`worker` of `function` as it stands."""
    facts = worker.facts
    held, peak = worker.memory.held_bytes, facts.peak_bytes
    return WorkerStats(function, facts.pid, _state(worker), facts.base_bytes, held, peak, facts.calls, facts.busy_s)


def _state(worker: WorkerProcess) -> State:
    if worker.end_reason or worker.retiring:
        return "ending"
    if not worker.ready:
        return "starting"
    return "busy" if worker.calls else "idle"
