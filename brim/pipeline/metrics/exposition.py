"""Exposition: families as Prometheus reads them, text format 0.0.4. Pure.

Names get the prefix `brim`, base units and `_total` for counters; help and label values are escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from brim.pipeline.metrics.family import BYTES, SECONDS, Description, Family, Labels

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_UNITS = {BYTES: "_bytes", SECONDS: "_seconds"}
_IN_HELP = str.maketrans({"\\": r"\\", "\n": r"\n"})
_IN_LABEL = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


def exposition(families: Iterable[Family]) -> str:
    """`families` as text, ending in a line feed; one without values is left out."""
    return "".join(f"{line}\n" for family in families if family.values for line in _lines(family))


def prometheus_name(description: Description) -> str:
    """How Prometheus calls it.

    >>> prometheus_name(Description("spill.written", "counter", "By", "")), prometheus_name(
    ...     Description("active_runs", "gauge", "{run}", "")
    ... )
    ('brim_spill_written_bytes_total', 'brim_active_runs')
    """
    unit = _UNITS.get(description.unit, "")
    return f"brim_{description.name.replace('.', '_')}{unit}{'_total' if description.kind == 'counter' else ''}"


def _lines(family: Family) -> Iterator[str]:
    name = prometheus_name(family.description)
    yield f"# HELP {name} {family.description.text.translate(_IN_HELP)}"
    yield f"# TYPE {name} {family.description.kind}"
    for labels, value in family.values.items():
        yield f"{name}{_braced(labels)} {_number(value)}"


def _braced(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{value.translate(_IN_LABEL)}"' for name, value in labels) + "}"


def _number(value: float) -> str:
    """A value as Go reads it.

    >>> [_number(value) for value in (3, 2**53 + 1, 0.25, 1e-7, float("inf"))]
    ['3', '9007199254740993', '0.25', '1e-07', '+Inf']
    """
    if isinstance(value, int):
        return str(value)
    return {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}.get(text := repr(float(value)), text)
