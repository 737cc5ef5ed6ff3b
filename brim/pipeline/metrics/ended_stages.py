"""Ended stages: the counters of stages that have ended, added up by operator, so that what is told only grows.

Labels of runs would grow without end in whoever collects: only the operators' names are kept, `NAMES_MAX` of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain

from brim.pipeline.metrics.family import Family, Labels, added_up
from brim.pipeline.metrics.readings import ID_LABEL, RUN_LABEL, stage_families
from brim.pipeline.metrics.totals import NAMES_MAX, OTHERS
from brim.pipeline.snapshot import RunSnapshot


@dataclass(eq=False, slots=True)
class EndedStages:
    """What stages came to that have ended, and the operators there are."""

    _sums: dict[str, Mapping[Labels, float]] = field(default_factory=dict)
    _operators: set[str] = field(default_factory=set)

    def add(self, run: RunSnapshot) -> None:
        """Count the stages of `run`, which has ended."""
        for family in self.with_live({"": run}):
            if family.description.kind == "counter":
                self._sums[family.description.name] = family.values

    def with_live(self, runs: Mapping[str, RunSnapshot]) -> Iterator[Family]:
        """The families of all stages by operator: of those that have ended, and of `runs`."""
        self._meet(stage.name for run in runs.values() for stage in run.stages)
        for family in stage_families(runs):
            live = ((self._kept(labels), value) for labels, value in family.values.items())
            ended = self._sums.get(family.description.name, {}).items()
            yield Family(family.description, added_up(chain(ended, live)))

    def _meet(self, operators: Iterable[str]) -> None:
        for operator in operators:
            if len(self._operators) < NAMES_MAX:
                self._operators.add(operator)

    def _kept(self, labels: Labels) -> Labels:
        named = ((name, self._known(text) if name == "operator" else text) for name, text in labels)
        return tuple(label for label in named if label[0] not in (RUN_LABEL, ID_LABEL))

    def _known(self, operator: str) -> str:
        return operator if operator in self._operators else OTHERS
