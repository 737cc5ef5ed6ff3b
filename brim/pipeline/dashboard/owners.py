"""Owners: who holds the memory of an engine at one moment. Pure.

    growth of the tree, measured     ├───────────────────────────────────┤
    ledger: reserved and lent        ├─ workers ─┼─ operators ─┼─ queues ─┤ free ─── pad ┤

The ledger counts what was promised, so it may be more or less than what is really held.
"""

from __future__ import annotations

from dataclasses import dataclass

from brim.pipeline.engine_stats import EngineStats


@dataclass(frozen=True, slots=True)
class Owners:
    """Bytes of the ledger by owner: they add up to what it has given out.

    Attributes:
        workers: reserved for worker processes with what they have built: what no run holds, where there are any.
        operators: what runs have reserved and on loan, but for their queues; of a run that has ended, too, until its
            last batches are taken.
        queues: batches on their way.
    """

    workers: int
    operators: int
    queues: int


def owners(stats: EngineStats) -> Owners:
    """Who holds what the ledger of `stats` has given out."""
    runs = min(stats.ledger_used, sum(run.held_bytes for run in stats.runs))
    queues = min(runs, sum(stage.queue_bytes for run in stats.runs for stage in run.stages))
    workers = stats.ledger_used - runs if stats.workers else 0
    return Owners(workers, stats.ledger_used - workers - queues, queues)
