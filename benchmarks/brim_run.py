"""How the workloads run brim: a stream, so that its report comes with the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from benchmarks.workload import Answer, Job

OPEN = "open"
"""The mark that a workload sets when its pipeline is declared, before an engine opens: from there brim counts too."""

if TYPE_CHECKING:
    from brim import Pipeline


def only_row(pipeline: Pipeline, job: Job, **settings: Any) -> Answer:
    """The one row that `pipeline` comes to, and the report."""
    job.mark(OPEN)
    with pipeline.stream_blocking(memory=job.memory, **settings) as batches:
        (found,) = pa.Table.from_batches(batches, batches.schema).to_pylist()
    return {**found, "report": batches.report.to_dict()}
