"""An engine at one moment, for people and for whoever watches a service."""

from __future__ import annotations

from dataclasses import dataclass

from brim.io.workers.worker_stats import WorkerStats
from brim.pipeline.snapshot import RunSnapshot


@dataclass(frozen=True, slots=True)
class EngineStats:
    """An engine at one moment.

    Attributes:
        memory: bytes by which the process tree may grow.
        ledger_used: bytes that are reserved or lent.
        ledger_limit: bytes that can be.
        growth: bytes by which the process tree has grown.
        peak_growth: the most of that.
        runs: those that are under way.
        workers: the worker processes that are there.
        gpus: devices that workers share.
        gpus_used: how much of them workers hold.
    """

    memory: int
    ledger_used: int
    ledger_limit: int
    growth: int
    peak_growth: int
    runs: tuple[RunSnapshot, ...]
    workers: tuple[WorkerStats, ...] = ()
    gpus: int = 0
    gpus_used: float = 0.0
