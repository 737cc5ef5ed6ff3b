"""Instruments: families told through an OpenTelemetry meter. Needs `opentelemetry-api`.

Every family has one observable instrument, asked when somebody collects. Names get the prefix `brim`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from brim.pipeline.metrics.family import Description, Family

Families = Callable[[], Mapping[str, Family]]
"""Families by name, as they stand now."""


def make_instruments(meter: Meter, descriptions: Iterable[Description], families: Families) -> None:
    """Make an instrument of `meter` for each description; `families` is asked for what they tell, from any thread."""
    for description in descriptions:
        make = meter.create_observable_counter if description.kind == "counter" else meter.create_observable_gauge
        make(
            f"brim.{description.name}",
            callbacks=[_callback(description.name, families)],
            unit=description.unit,
            description=description.text,
        )


def _callback(name: str, families: Families) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def observe(_options: CallbackOptions) -> Iterable[Observation]:
        family = families().get(name)
        return [] if family is None else [Observation(value, dict(labels)) for labels, value in family.values.items()]

    return observe
