"""Running: how a pipeline is run from outside an engine, waiting or blocking."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import pyarrow as pa

from brim.errors import PlanError
from brim.io.object_stores.storage import StorageLike
from brim.io.spill.folders import Folders
from brim.limits import Limits
from brim.pipeline import batches, later_source
from brim.pipeline.batches import Batches
from brim.pipeline.blocking import BlockingBatches, block_on
from brim.pipeline.engine import Engine
from brim.pipeline.given_limits import limits_of
from brim.pipeline.nodes import Node
from brim.pipeline.progress import Wanted
from brim.pipeline.report import Report
from brim.pipeline.run_options import RunOptions

if TYPE_CHECKING:
    from brim.pipeline.builder import Pipeline
    from brim.pipeline.metrics.open_telemetry import OpenTelemetry


_NO_LIMITS = ("spill_dir", "storage", "progress", "on_event", "dashboard", "telemetry", "weight", "max_memory")


class OfRun(TypedDict, total=False):
    """What is said of one run, in an engine of its own or another's."""

    weight: float
    max_memory: int | str | None


_OF_RUN = tuple(OfRun.__annotations__)


class Settings(OfRun, total=False):
    """What `Engine` takes, and what is said of the run."""

    memory: int | str
    batch_bytes: int | str | None
    spill_dir: Folders
    spill_limit: int | str | None
    threads: int | None
    processes: int | None
    gpus: int | None
    max_connections: int
    egress: Literal["any", "public"]
    storage: StorageLike
    progress: Wanted
    on_event: Callable[[dict[str, Any]], None] | None
    dashboard: str | None
    telemetry: OpenTelemetry | None


def limits_of_settings(settings: Settings) -> Limits:
    """The limits of an engine made for one run with `settings`."""
    kept = {name: value for name, value in settings.items() if name not in _NO_LIMITS}
    return limits_of(max_runs=1, **kept)  # type: ignore[arg-type]


def stream(pipeline: Pipeline, engine: Engine | None, settings: Settings) -> Batches:
    """The batches of a run in `engine`, or in one made for it."""
    of_engine = {name: value for name, value in settings.items() if name not in _OF_RUN}
    if engine is not None and of_engine:
        raise PlanError(f"{', '.join(of_engine)}: these are settings of an engine, and `engine=` has its own")
    owned = engine is None
    engine = Engine(max_runs=1, **of_engine) if engine is None else engine  # type: ignore[arg-type]
    options = RunOptions.of(settings.get("weight"), settings.get("max_memory"), engine.limits.memory)
    return Batches(pipeline, engine, owned=owned, options=options)


async def resolve(pipeline: Pipeline, engine: Engine | None) -> Node:
    """The tree of `pipeline` with its sources looked at."""
    return await later_source.resolve(pipeline.node, None if engine is None else engine.stores)


async def run(pipeline: Pipeline, engine: Engine | None, settings: Settings) -> Report:
    """Run to the end; rows that no sink takes are counted and dropped."""
    return await batches.drain(stream(pipeline, engine, settings))


async def collect(pipeline: Pipeline, engine: Engine | None, settings: Settings) -> pa.Table:
    """All rows as a table."""
    return await batches.collect(stream(pipeline, engine, settings))


def run_blocking(pipeline: Pipeline, settings: Settings) -> Report:
    """`run`, in a loop of its own."""
    return block_on("run", run, pipeline, None, _with_progress(settings))


def collect_blocking(pipeline: Pipeline, settings: Settings) -> pa.Table:
    """`collect`, in a loop of its own."""
    return block_on("collect", collect, pipeline, None, _with_progress(settings))


def stream_blocking(pipeline: Pipeline, settings: Settings) -> BlockingBatches:
    """`stream`, in a loop of its own."""
    return BlockingBatches(lambda: stream(pipeline, None, _with_progress(settings)))


def _with_progress(settings: Settings) -> Settings:
    """Programs that block may show a picture on their terminal; an engine in a service never does by itself."""
    wanted = settings.get("progress")
    return {**settings, "progress": "terminal" if wanted is None else wanted}


def show(pipeline: Pipeline, rows: int) -> None:
    """Print the first rows as a table."""
    table = collect_blocking(pipeline.head(rows), {"progress": False})
    print(table.to_pandas().to_string() if _has_pandas() else table.to_string(preview_cols=20))  # noqa: T201 - asked for


def as_html(pipeline: Pipeline) -> str:
    """The columns of a pipeline for a notebook; nothing is run."""
    if later_source.needs_look(pipeline.node):
        return f"<p>{escape(repr(pipeline))}</p>"
    rows = "".join(
        f"<tr><td>{escape(field.name)}</td><td>{escape(str(field.type))}</td></tr>" for field in pipeline.schema
    )
    return f"<table><caption>{escape(pipeline.node.id)}</caption><tr><th>column</th><th>type</th></tr>{rows}</table>"


def _has_pandas() -> bool:
    return find_spec("pandas") is not None
