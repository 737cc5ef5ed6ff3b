"""brim: declarative pipelines over asyncio and Apache Arrow that stay within one memory budget."""

from importlib.metadata import version

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
    TransferFailed,
    TransferTimeout,
    UdfContractError,
    UdfError,
    UdfMemoryExceeded,
    UdfTimeout,
    UnknownColumn,
    WorkerDied,
)
from brim.pipeline.batches import Batches
from brim.pipeline.blocking import BlockingBatches
from brim.pipeline.builder import Pipeline
from brim.pipeline.engine import Engine, EngineStats
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
from brim.pipeline.expr import len_ as len  # noqa: A004 - as in Polars
from brim.pipeline.report import Bottleneck, OperatorReport, Report
from brim.pipeline.sources import (
    from_arrow,
    from_batches,
    from_pandas,
    from_pydict,
    from_pylist,
    range,  # noqa: A004 - Python's word, and Daft's
    read_arrow,
    read_csv,
    read_files,
    read_json,
    read_parquet,
    read_text,
)
from brim.pipeline.udf import row_udf, udf

__version__ = version("brim")

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
    "Expr",
    "ExpressionFailed",
    "LimitExceeded",
    "ObjectMissing",
    "OperatorReport",
    "Pipeline",
    "PlanError",
    "Report",
    "RowTooLarge",
    "SchemaMismatch",
    "SpillDiskFull",
    "StageFailed",
    "Stalled",
    "TransferFailed",
    "TransferTimeout",
    "UdfContractError",
    "UdfError",
    "UdfMemoryExceeded",
    "UdfTimeout",
    "UnknownColumn",
    "WorkerDied",
    "coalesce",
    "col",
    "concat_str",
    "from_arrow",
    "from_batches",
    "from_pandas",
    "from_pydict",
    "from_pylist",
    "len",
    "lit",
    "max_horizontal",
    "min_horizontal",
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
