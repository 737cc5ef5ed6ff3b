"""Every workload, by name."""

from __future__ import annotations

from benchmarks.workload import Workload
from benchmarks.workloads import w01_photographs

WORKLOADS: tuple[Workload, ...] = (w01_photographs.WORKLOAD,)


def workload_named(name: str) -> Workload:
    """The workload `name`, as ``w1``; KeyError names the ones there are."""
    found = {workload.name: workload for workload in WORKLOADS}
    if name not in found:
        raise KeyError(f"no workload {name!r}; there are {', '.join(found)}")
    return found[name]
