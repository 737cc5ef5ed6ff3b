"""Every workload, by name."""

from __future__ import annotations

from benchmarks.workload import Workload
from benchmarks.workloads import (
    w01_photographs,
    w02_large_bodies,
    w03_small_bodies,
    w04_worker_transport,
    w05_explode,
    w05_words,
    w06_gunzip,
    w07_group,
    w08_sort,
    w09_join,
    w10_scan,
    w11_slow_consumer,
    w12_embeddings,
)

WORKLOADS: tuple[Workload, ...] = (
    w01_photographs.WORKLOAD,
    w02_large_bodies.WORKLOAD,
    w03_small_bodies.WORKLOAD,
    w04_worker_transport.WORKLOAD,
    w05_explode.WORKLOAD,
    w05_words.WORKLOAD,
    w06_gunzip.WORKLOAD,
    w07_group.WORKLOAD,
    w08_sort.WORKLOAD,
    w09_join.WORKLOAD,
    w10_scan.WORKLOAD,
    w11_slow_consumer.WORKLOAD,
    w12_embeddings.WORKLOAD,
)


def workload_named(name: str) -> Workload:
    """The workload `name`, as ``w1``; KeyError names the ones there are."""
    found = {workload.name: workload for workload in WORKLOADS}
    if name not in found:
        raise KeyError(f"no workload {name!r}; there are {', '.join(found)}")
    return found[name]
