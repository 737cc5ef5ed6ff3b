"""brim: declarative pipelines over asyncio and Apache Arrow that stay within one memory budget.

The public names, nothing else. They are loaded when they are first used (PEP 562), so that `import brim` is quick and a
worker process loads what its function needs: 24 MiB instead of 52.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from brim.errors import (
        BrimError,
        BudgetTooSmall,
        CorruptInput,
        EgressDenied,
        ExpressionFailed,
        LimitExceeded,
        ObjectMissing,
        PlanError,
        RowTooLarge,
        SchemaMismatch,
        SpillDiskFull,
        StageFailed,
        Stalled,
        TooFewDevices,
        TransferFailed,
        TransferTimeout,
        UdfContractError,
        UdfError,
        UdfMemoryExceeded,
        UdfTimeout,
        UnknownColumn,
        WorkerDied,
    )
    from brim.io.object_stores.storage import Storage
    from brim.io.workers.worker_stats import WorkerStats
    from brim.pipeline.batches import Batches
    from brim.pipeline.blocking import BlockingBatches
    from brim.pipeline.bottleneck import Bottleneck
    from brim.pipeline.builder import Pipeline
    from brim.pipeline.dashboard.app import dashboard_app
    from brim.pipeline.dashboard.event_tap import EventTap
    from brim.pipeline.engine import Engine
    from brim.pipeline.engine_stats import EngineStats
    from brim.pipeline.expr import (
        Expr,
        coalesce,
        col,
        concat_str,
        lit,
        max_horizontal,
        min_horizontal,
        struct,
        when,
    )
    from brim.pipeline.expr import len_ as len  # noqa: A004 - the words of Polars and Daft
    from brim.pipeline.metrics.open_telemetry import OpenTelemetry
    from brim.pipeline.metrics.prometheus import prometheus_text
    from brim.pipeline.metrics.totals import Totals
    from brim.pipeline.report import OperatorReport, Report
    from brim.pipeline.sources import (
        from_arrow,
        from_batches,
        from_pandas,
        from_pydict,
        from_pylist,
        range,  # noqa: A004
        read_arrow,
        read_csv,
        read_files,
        read_json,
        read_parquet,
        read_text,
    )
    from brim.pipeline.udf import row_udf, udf
    from brim.version import __version__ as __version__

_HOMES = {
    "brim.errors": (
        "BrimError",
        "BudgetTooSmall",
        "CorruptInput",
        "EgressDenied",
        "ExpressionFailed",
        "LimitExceeded",
        "ObjectMissing",
        "PlanError",
        "RowTooLarge",
        "SchemaMismatch",
        "SpillDiskFull",
        "StageFailed",
        "Stalled",
        "TooFewDevices",
        "TransferFailed",
        "TransferTimeout",
        "UdfContractError",
        "UdfError",
        "UdfMemoryExceeded",
        "UdfTimeout",
        "UnknownColumn",
        "WorkerDied",
    ),
    "brim.io.object_stores.storage": ("Storage",),
    "brim.io.workers.worker_stats": ("WorkerStats",),
    "brim.pipeline.batches": ("Batches",),
    "brim.pipeline.blocking": ("BlockingBatches",),
    "brim.pipeline.builder": ("Pipeline",),
    "brim.pipeline.dashboard.app": ("dashboard_app",),
    "brim.pipeline.dashboard.event_tap": ("EventTap",),
    "brim.pipeline.engine": ("Engine",),
    "brim.pipeline.engine_stats": ("EngineStats",),
    "brim.pipeline.expr": (
        "Expr",
        "coalesce",
        "col",
        "concat_str",
        "len",
        "lit",
        "max_horizontal",
        "min_horizontal",
        "struct",
        "when",
    ),
    "brim.pipeline.metrics.open_telemetry": ("OpenTelemetry",),
    "brim.pipeline.metrics.prometheus": ("prometheus_text",),
    "brim.pipeline.metrics.totals": ("Totals",),
    "brim.pipeline.bottleneck": ("Bottleneck",),
    "brim.pipeline.report": ("OperatorReport", "Report"),
    "brim.pipeline.sources": (
        "from_arrow",
        "from_batches",
        "from_pandas",
        "from_pydict",
        "from_pylist",
        "range",
        "read_arrow",
        "read_csv",
        "read_files",
        "read_json",
        "read_parquet",
        "read_text",
    ),
    "brim.pipeline.udf": ("row_udf", "udf"),
    "brim.version": ("__version__",),
}
_RENAMED = {"len": "len_"}

__all__ = [
    "Batches",
    "BlockingBatches",
    "Bottleneck",
    "BrimError",
    "BudgetTooSmall",
    "CorruptInput",
    "EgressDenied",
    "Engine",
    "EngineStats",
    "EventTap",
    "Expr",
    "ExpressionFailed",
    "LimitExceeded",
    "ObjectMissing",
    "OpenTelemetry",
    "OperatorReport",
    "Pipeline",
    "PlanError",
    "Report",
    "RowTooLarge",
    "SchemaMismatch",
    "SpillDiskFull",
    "StageFailed",
    "Stalled",
    "Storage",
    "TooFewDevices",
    "Totals",
    "TransferFailed",
    "TransferTimeout",
    "UdfContractError",
    "UdfError",
    "UdfMemoryExceeded",
    "UdfTimeout",
    "UnknownColumn",
    "WorkerDied",
    "WorkerStats",
    "coalesce",
    "col",
    "concat_str",
    "dashboard_app",
    "from_arrow",
    "from_batches",
    "from_pandas",
    "from_pydict",
    "from_pylist",
    "len",
    "lit",
    "max_horizontal",
    "min_horizontal",
    "prometheus_text",
    "range",
    "read_arrow",
    "read_csv",
    "read_files",
    "read_json",
    "read_parquet",
    "read_text",
    "row_udf",
    "struct",
    "udf",
    "when",
]


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            value = getattr(import_module(home), _RENAMED.get(name, name))
            globals()[name] = value
            return value
    raise AttributeError(f"module 'brim' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
