"""What a workload is, and what one run of it is given and gives back.

A file in `workloads/` ends with one `Workload`. It imports an engine only inside that engine's function, so that the
process of one engine never loads another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ENGINES = ("brim", "daft", "ray", "polars", "duckdb")

Answer = dict[str, Any]
"""What a run found: small, fit for JSON; the same for every engine, whatever order it keeps.

brim adds its report as `report`, which is taken out before the answer is checked.
"""


@dataclass(frozen=True, slots=True)
class Job:
    """One run, as the engine's process sees it."""

    data: str
    """The folder that `Workload.make` filled."""
    urls: str
    """A Parquet file of `id`, `url`, for workloads that download."""
    out: str
    """A folder that does not exist yet, for what is written."""
    memory: str
    """The budget: brim's `memory=`; the others have none that bounds the process."""
    mark: Callable[[str], None]
    """Ask for the growth of the tree at this moment, to be noted under a name."""
    spill: str = ""
    """An empty folder for what does not fit in memory."""
    limit: str = ""
    """A memory limit as ``300MB`` for peers that take one (see `peers`), empty where they run as they come."""


@dataclass(frozen=True, slots=True)
class Workload:
    """Something to do, and how each engine does it best."""

    name: str
    title: str
    make: Callable[[Path, float], Path]
    """Data in a cache folder, `scale` times the full size; gives its folder."""
    engines: Mapping[str, Callable[[Job], Answer]]
    check: Callable[[Answer, Job], None]
    """Raises AssertionError when an answer, or what lies in `out`, is wrong."""
    memory: str = "256MiB"
    served: Callable[[Path], list[str]] | None = None
    """The paths on the web server that are downloaded, None where nothing is."""
    target: float | None = None
    """How many times as fast as Daft brim has to be."""
