"""User functions that break their word, their worker, or the patience of their caller."""

from __future__ import annotations

import ctypes
import os
import sys
import time

import pyarrow as pa

import brim
from brim import col

from .table import Place, fails, keeps

INT = pa.int64()


def rows(function: object, count: int = 4, returns: pa.DataType = INT, **options: object) -> brim.Pipeline:
    """A column made by `function`, called on one row at a time."""
    made = brim.row_udf(function, returns=returns, **options)
    return brim.range(count).select(made=made(col("id")))


def arrays(function: object, count: int = 4, returns: pa.DataType = INT, **options: object) -> brim.Pipeline:
    """A column made by `function`, called on arrays."""
    made = brim.udf(function, returns=returns, **{"backend": "thread", **options})
    return brim.range(count).select(made=made(col("id")))


def fail_on_two(n: int) -> int:
    if n == 2:
        raise ValueError("no twos here")
    return 10 * n


@fails(
    "Functions",
    "one that raises on a row",
    brim.UdfError,
    r"fail_on_two on row 2 of its input: ValueError: no twos here.*in fail_on_two",
)
def udf_raises(at: Place):
    return rows(fail_on_two)


@keeps("Functions", 'the same with `on_error="null"`', [0, 10, None, 30], failed=1, says=r"ValueError \(functions\.py")
def udf_raises_null(at: Place):
    return rows(fail_on_two, on_error="null")


@keeps(
    "Functions",
    'the same with `on_error="drop"`, and its row kept as a dead letter',
    [0, 10, 30],
    failed=1,
    says=r"in fail_on_two\)",
)
def udf_raises_drop(at: Place):
    return rows(fail_on_two, on_error="drop", dead_letter=str(at.path("letters")))


@fails(
    "Functions",
    "an array that is too short",
    brim.UdfContractError,
    "returned 1 values for 4 rows; one for each row is declared",
)
def udf_wrong_length(at: Place):
    return arrays(lambda ids: ids[:1])


@fails("Functions", "another type than declared", brim.UdfContractError, "returned string, declared int64")
def udf_wrong_type(at: Place):
    return arrays(lambda ids: pa.array(["a"] * len(ids)))


@fails(
    "Functions",
    "a row's value of another type than declared",
    brim.UdfContractError,
    "on row 0 of its input: returned str '0', declared int64",
)
def row_udf_wrong_type(at: Place):
    return rows(lambda n: f"{n}", count=1, backend="thread")


@fails(
    "Functions",
    "nothing (`None`) instead of an array",
    brim.UdfContractError,
    r"returned nothing \(None\); an array of int64 is declared",
)
def udf_none(at: Place):
    return arrays(lambda ids: None)


@fails(
    "Functions",
    "a generator, where an array is due",
    brim.PlanError,
    "a generator makes many rows of one: use map_batches",
)
def udf_generator(at: Place):
    def spread(ids):
        yield ids

    return arrays(spread)


@fails("Functions", "a fraction, where an integer is declared", brim.UdfContractError, "declared int64: .*truncat")
def udf_fraction(at: Place):
    return arrays(lambda ids: pa.array([1.5] * len(ids)))


@fails("Functions", "an invalid Arrow array", brim.UdfContractError, "returned string, declared string: .*offset")
def udf_invalid_arrow(at: Place):
    def broken(ids):
        offsets = pa.array([0, 1 << 30] + [4] * (len(ids) - 1), pa.int32()).buffers()[1]
        return pa.StringArray.from_buffers(len(ids), offsets, pa.py_buffer(b"text"))

    return arrays(broken, returns=pa.string())


@fails("Functions", "a function that cannot be pickled", brim.PlanError, r"cannot be sent to a worker.*(lock|pickle)")
def udf_unpicklable(at: Place):
    import threading

    lock = threading.Lock()
    return rows(lambda n: lock.locked())


@fails(
    "Functions",
    "a function that ends its process",
    brim.WorkerDied,
    r"the worker of quit_on_two died \(exit code 7\) with row 2 of its input in hand",
)
def udf_exits(at: Place):
    def quit_on_two(n):
        return os._exit(7) if n == 2 else n

    return rows(quit_on_two)


@keeps("Functions", 'the same with `on_error="null"`', [0, 1, None, 3], failed=1, says=r"exit code 7")
def udf_exits_null(at: Place):
    def quit_on_two(n):
        return os._exit(7) if n == 2 else n

    return rows(quit_on_two, on_error="null")


@fails("Functions", "a function that raises SystemExit", brim.UdfError, "on row 0 of its input: SystemExit: 3")
def udf_sys_exit(at: Place):
    return rows(lambda n: sys.exit(3))


@fails(
    "Functions",
    "a function that reads where no memory is (a segmentation fault)",
    brim.WorkerDied,
    r"died \(SIGSEGV, signal 11\) with row 0 of its input in hand; it last printed:.*Segmentation fault",
)
def udf_segfaults(at: Place):
    return rows(lambda n: ctypes.string_at(0))


@fails("Functions", "a function that hangs, with `timeout_s`", brim.UdfTimeout, r"row 2.*0\.3 s")
def udf_hangs(at: Place):
    def hang_on_two(n):
        if n == 2:
            time.sleep(60)
        return n

    return rows(hang_on_two, timeout_s=0.3)


@keeps("Functions", 'the same with `on_error="null"`', [0, 1, None, 3], failed=1, says=r"0\.3 s")
def udf_hangs_null(at: Place):
    def hang_on_two(n):
        if n == 2:
            time.sleep(60)
        return n

    return rows(hang_on_two, timeout_s=0.3, on_error="null")


@fails("Functions", "a function that hangs in C, where no signal gets through", brim.UdfTimeout, r"0\.3 s")
def udf_hangs_in_c(at: Place):
    def hang(ids):
        libc = ctypes.PyDLL(None)  # keeps the interpreter's lock
        libc.sleep(60)
        return ids

    return arrays(hang, backend="process", timeout_s=0.3)


@keeps("Functions", "a function that prints without end (it is read and dropped)", [0, 1, 2, 3])
def udf_floods(at: Place):
    def flood(n):
        for _ in range(100):
            sys.stdout.write("x" * 10_000)
        return n

    return rows(flood)


@fails(
    "Functions",
    "an exception with a text of 10 MB (shown cut)",
    brim.UdfError,
    r"loud on row 0 of its input: ValueError: x{400,}",
)
def udf_huge_text(at: Place):
    def loud(n):
        raise ValueError("x" * 10_000_000)

    return rows(loud)


@fails(
    "Functions",
    "an exception that cannot be shown",
    brim.UdfError,
    r"on row 0 of its input: Odd: \(its text cannot be shown: RuntimeError\)",
)
def udf_unprintable(at: Place):
    class Odd(Exception):
        def __str__(self):
            raise RuntimeError("no text")

    def odd(n):
        raise Odd

    return rows(odd)


@fails("Functions", "a class whose constructor raises", brim.UdfError, "OSError: no model here")
def udf_constructor(at: Place):
    class Model:
        def __init__(self):
            raise OSError("no model here")

        def __call__(self, n):
            return n

    return rows(Model)


@fails(
    "Functions",
    "a batch without the declared columns",
    brim.UdfContractError,
    r"returned columns \['other'\], declared \['id'\]",
)
def batch_other_columns(at: Place):
    return brim.range(3).map_batches(lambda batch: batch.rename_columns(["other"]), backend="thread")


@fails(
    "Functions",
    "a batch function that returns a number",
    brim.UdfContractError,
    "returned a value of type int; a record batch, a table or a dict",
)
def batch_number(at: Place):
    return brim.range(3).map_batches(lambda batch: 5, backend="thread")


@fails("Functions", "a batch generator that raises after its first piece", brim.UdfError, "ValueError: half way")
def batch_generator_raises(at: Place):
    def half(batch):
        yield batch
        raise ValueError("half way")

    return brim.range(3).map_batches(half, backend="thread")


@fails("Functions", "an `async def` that raises", brim.UdfError, "fetch on row 1 of its input: KeyError: 'missing'")
def async_raises(at: Place):
    async def fetch(n):
        return {0: 0}[n] if n != 1 else {}["missing"]

    return rows(fetch)


@fails("Functions", "an `async def` that hangs, with `timeout_s`", brim.UdfTimeout, r"0\.1 s")
def async_hangs(at: Place):
    import asyncio

    async def fetch(n):
        await asyncio.sleep(60)

    return rows(fetch, count=1, timeout_s=0.1)


@fails(
    "Functions",
    "`timeout_s` for a thread, which cannot be stopped",
    brim.PlanError,
    "a thread cannot be stopped, so timeout_s needs",
)
def thread_timeout(at: Place):
    return arrays(lambda ids: ids, timeout_s=1)


@fails(
    "Functions", "a `dead_letter` where errors end the run", brim.PlanError, "dead_letter= keeps rows that on_error="
)
def letters_and_raise(at: Place):
    return rows(fail_on_two, dead_letter="letters")
