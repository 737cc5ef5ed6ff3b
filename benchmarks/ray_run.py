"""How the workloads run Ray Data: its cluster on this machine, and the sums they end with.

As its pages on performance advise: vectorised functions over Arrow batches, tasks and not actors where a function has
no state, and as many blocks as there is work to spread (`override_num_blocks`), since one small file of addresses
would be one task.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.workload import Answer

if TYPE_CHECKING:
    from ray.data import Dataset

OBJECT_STORE = 2 * 1024**3
BLOCKS = 16


def open_cluster() -> None:
    """Start Ray on this machine, without a dashboard; progress bars off, as its page on monitoring allows."""
    import ray
    import ray.data

    os.environ["PYTHONPATH"] = str(Path(__file__).parents[1])  # its workers import the workloads' functions
    ray.init(include_dashboard=False, log_to_driver=False, object_store_memory=OBJECT_STORE, configure_logging=False)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False


def sizes(batch: pa.Table, column: str) -> pa.Table:
    """The lengths of a binary column, as the column `size`."""
    return pa.table({"size": pc.cast(pc.binary_length(batch[column]), pa.int64())})


def totals(dataset: Dataset) -> Answer:
    """The sum and the number of the column `size`, added up here: its own aggregates start a shuffle first."""
    found, rows = 0, 0
    for batch in dataset.iter_batches(batch_size=None, batch_format="pyarrow"):
        found += pc.sum(batch["size"]).as_py() or 0
        rows += batch.num_rows
    return {"bytes": found, "rows": rows}
