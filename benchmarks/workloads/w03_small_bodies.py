"""W3: download the 1,000 photographs of W1 and keep the length of each."""

from __future__ import annotations

from pathlib import Path

from benchmarks.workload import Answer, Job, Workload
from benchmarks.workloads.w01_photographs import CONNECTIONS, make, served
from benchmarks.workloads.w02_large_bodies import brim_lengths, daft_lengths, ray_lengths


def brim(job: Job) -> Answer:
    return brim_lengths(job, CONNECTIONS)


def daft(job: Job) -> Answer:
    return daft_lengths(job, CONNECTIONS)


def ray(job: Job) -> Answer:
    return ray_lengths(job)


def check(answer: Answer, job: Job) -> None:
    sizes = [path.stat().st_size for path in Path(job.data).glob("*.jpg")]
    assert answer == {"bytes": sum(sizes), "rows": len(sizes)}, answer


WORKLOAD = Workload(
    "w3",
    "1,000 JPEG (139 MB) downloaded, the length kept",
    make,
    {"brim": brim, "daft": daft, "ray": ray},
    check,
    served=served,
    target=1.2,
)
