"""Prometheus: the numbers of an engine as the text its servers scrape. Pure."""

from __future__ import annotations

from itertools import chain

from brim.pipeline.engine_stats import EngineStats
from brim.pipeline.metrics.exposition import exposition
from brim.pipeline.metrics.readings import engine_families, run_families, worker_families
from brim.pipeline.metrics.totals import Totals


def prometheus_text(stats: EngineStats, totals: Totals | None = None) -> str:
    """How an engine stands (`stats`), and what its runs came to (`totals`), in Prometheus' text format 0.0.4.

    Answer a scrape with it, encoded as UTF-8 and with the content type ``text/plain; version=0.0.4; charset=utf-8``.
    Sizes are in bytes, times in seconds. Stages of runs under way have the labels `run`, `operator` and `operator_id`;
    what runs that have ended came to is in the totals, without labels of theirs.
    """
    counted = () if totals is None else totals.families()
    return exposition(chain(engine_families(stats), worker_families(stats), run_families(stats), counted))
