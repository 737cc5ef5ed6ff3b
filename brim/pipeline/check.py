"""Check: refuses what cannot run, before anything does."""

from __future__ import annotations

from collections.abc import Sequence

from brim.errors import PlanError
from brim.pipeline.plan import Stage


def check(stages: Sequence[Stage]) -> None:
    """Raise `PlanError` for a one-shot source that would be read twice."""
    seen: dict[int, str] = {}
    for stage in stages:
        if stage.one_shot is None:
            continue
        if stage.one_shot in seen:
            raise PlanError(
                f"{stage.id}: an iterator can be read once, but the pipeline uses it twice; "
                "give from_batches a function that returns a new iterator"
            )
        seen[stage.one_shot] = stage.id
