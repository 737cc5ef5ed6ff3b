"""Hard cases: each within 256 MiB, or an error that says why: `python -m plans.hard` (in `tests/`, or `make hard`)."""

# ruff: noqa: T201 - it prints what it does

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import pyarrow as pa

import brim
from brim import col, lit
from brim.errors import BrimError, RowTooLarge
from brim.sizes import MIB

from .trial import cause_of

MEMORY = 256 * MIB
LIMIT_S = 600
SIDE = 20_000
"""Rows of each side of a join; with one key they make 400 million pairs."""
GROUPS = 10_000_000
TEXTS, TEXT_BYTES = 300, 2 * MIB
LISTED = 40_000_000


@dataclass(frozen=True)
class Hard:
    """A case: its pipeline, and a check of each batch that comes of it, in order, and of how many rows there were.

    `refused` is the error that may come instead of rows, None where there must be none.
    """

    pipeline: brim.Pipeline
    check: Callable[[list[pa.RecordBatch]], None]
    refused: type[BrimError] | None = None


def hot_key() -> Hard:
    """One key holds 90 % of both sides."""
    share = SIDE * 9 // 10
    hot = brim.when(col("id") < share).then(lit(-1)).otherwise(col("id"))
    one, other = (brim.range(SIDE).select(hot.alias("k"), col("id").alias(name)) for name in "ab")
    pairs = one.join(other, on="k").agg(brim.len().alias("n"), (col("a") + col("b")).max().alias("most"))
    return Hard(pairs, _is({"n": share * share + SIDE - share, "most": 2 * SIDE - 2}))


def hot_key_semi() -> Hard:
    """The same, and only rows of one side are sent, once each."""
    hot = brim.when(col("id") % 10 < 9).then(lit(-1)).otherwise(col("id"))
    one, other = (brim.range(1_000_000).select(hot.alias("k"), col("id").alias(name)) for name in "ab")
    return Hard(one.join(other, on="k", how="semi").agg(brim.len().alias("n")), _is({"n": 1_000_000}))


def equal_keys() -> Hard:
    """All keys of both sides are equal."""
    one, other = (brim.range(SIDE).select(lit("the same for all").alias("k"), col("id").alias(name)) for name in "ab")
    return Hard(one.join(other, on="k").agg(brim.len().alias("n")), _is({"n": SIDE * SIDE}))


def long_list() -> Hard:
    """A group whose list weighs 300 MiB."""
    rows = brim.range(LISTED).select((col("id") % 1).alias("k"), "id")
    lists = rows.group_by("k").agg(col("id").list().alias("ids")).select(col("ids").list.len().alias("n"))
    return Hard(lists, _is({"n": LISTED}), RowTooLarge)


def long_texts() -> Hard:
    """A sort of strings of 2 MiB, which differ at their ends."""

    def batches() -> Iterator[pa.RecordBatch]:
        for number in range(TEXTS):
            yield pa.record_batch({"text": ["x" * TEXT_BYTES + f"{number * 7919 % TEXTS:09}"]})

    schema = pa.schema([("text", pa.string())])
    rows = brim.from_batches(batches, schema).sort("text").select(col("text").str.slice(TEXT_BYTES, 9).alias("end"))
    return Hard(rows, _ends)


def many_groups() -> Hard:
    """Ten million groups."""
    rows = brim.range(2 * GROUPS).select((col("id") * 7919 % GROUPS).alias("k"), "id")
    groups = rows.group_by("k").agg(brim.len().alias("n"), col("id").max().alias("last"))
    least = groups.agg(brim.len().alias("groups"), col("n").min().alias("least"), col("last").sum().alias("total"))
    return Hard(least, _is({"groups": GROUPS, "least": 2, "total": sum(range(GROUPS, 2 * GROUPS))}))


def _is(row: dict[str, object]) -> Callable[[list[pa.RecordBatch]], None]:
    def check(batches: list[pa.RecordBatch]) -> None:
        found = pa.Table.from_batches(batches).to_pylist()
        assert found == [row], f"{found} instead of {[row]}"

    return check


def _ends(batches: list[pa.RecordBatch]) -> None:
    found = pa.Table.from_batches(batches)["end"].to_pylist()
    assert found == [f"{number:09}" for number in range(TEXTS)], f"{len(found)} texts, {found[:5]} …"


CASES = {case.__name__: case for case in (hot_key, hot_key_semi, equal_keys, long_list, long_texts, many_groups)}


async def run(hard: Hard, folder: Path) -> str:
    """Run a case; what became of it, in a line."""
    began = time.monotonic()
    try:
        with anyio.fail_after(LIMIT_S):
            async with hard.pipeline.stream(memory=MEMORY, spill_dir=folder, threads=2) as batches:
                kept = [batch async for batch in batches]
        hard.check(kept)
        ended = f"{batches.report.spilled_bytes / MIB:,.0f} MiB spilled"
    except BrimError as error:
        if hard.refused is None or not isinstance(cause_of(error), hard.refused):
            raise
        ended = f"{error}"
    peak = batches.report.peak_process_bytes
    assert peak <= MEMORY, f"the process grew by {peak:,}"
    assert not list(folder.rglob("*")), "files are left"
    return f"{time.monotonic() - began:.1f} s, grew by {peak / MIB:,.0f} MiB at most; {ended}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", choices=[*CASES, []], help="all of them when none is named")
    wanted = parser.parse_args().cases
    if len(wanted) == 1:
        with TemporaryDirectory() as folder:
            print(f"{wanted[0]}: {anyio.run(run, CASES[wanted[0]](), Path(folder))}")
        return 0
    run_alone = [(name, [sys.executable, "-m", "plans.hard", name]) for name in wanted or CASES]
    failed = [name for name, command in run_alone if subprocess.run(command, check=False).returncode]
    print(f"failed: {failed}" if failed else "all within 256 MiB")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
