"""The decorators `udf` and `row_udf`: a Python function or class, made usable in expressions.

A decorated object called with expressions gives an expression; called with plain values it just calls the function, so
it can be tested without a pipeline. What is no expression among its arguments is the same in every call:
`resize(col("image"), 224)` calls `resize(images, 224)`; use `lit(224)` for a column of it.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Protocol

import pyarrow as pa

from brim.errors import PlanError
from brim.operators.expressions.tree import Apply, Tree
from brim.operators.user_functions.arguments import Arguments, Constant, Slot, Taken
from brim.operators.user_functions.rate_limit import parse_rate
from brim.operators.user_functions.reference import reference_to
from brim.operators.user_functions.user_function import Backend, Kind, OnError, UserFunction, is_async, name_of
from brim.pipeline.expr import Expr, WhenThen, tree_of, type_of
from brim.sizes import parse_size


class UserColumn:
    """A decorated function, or an instance-to-be of a decorated class: called on expressions, it makes a column."""

    def __init__(self, declared: UserFunction) -> None:
        self.declared = declared
        self._built: Callable[..., Any] | None = None
        functools.update_wrapper(self, declared.function, updated=())

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """An `Expr` when an argument is one; otherwise whatever the function returns for these values."""
        if _has_expr(arguments, named):
            return Expr(_apply(self.declared, arguments, named))
        if self._built is None:
            self._built = self.declared.build()
        return self._built(*arguments, **named)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        reference = reference_to(self)
        return (UserColumn, (self.declared,)) if reference is None else (reference.resolve, ())

    def __repr__(self) -> str:
        return f"<{self.declared.kind} function {self.declared.name}, backend {self.declared.backend}>"


class UserClass:
    """A decorated class: called with what its constructor takes it gives a `UserColumn`.

    The class itself is built once in each worker. `Embedder(col("text"))` is `Embedder()(col("text"))`.
    """

    def __init__(self, declared: UserFunction) -> None:
        self.declared = declared
        functools.update_wrapper(self, declared.function, updated=())

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """A `UserColumn` for an instance made with these arguments; an `Expr` when one of them is an expression."""
        if _has_expr(arguments, named):
            return Expr(_apply(self.declared, arguments, named))
        return UserColumn(dataclasses.replace(self.declared, args=arguments, kwargs=tuple(named.items())))

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        reference = reference_to(self)
        return (UserClass, (self.declared,)) if reference is None else (reference.resolve, ())

    def __repr__(self) -> str:
        return f"<{self.declared.kind} class {self.declared.name}, backend {self.declared.backend}>"


class Columns(Protocol):
    """What `udf` and `row_udf` give: a decorator, or what was decorated, to be called on expressions."""

    def __call__(self, *arguments: Any, **named: Any) -> Any: ...


def udf(
    function: Callable[..., Any] | None = None,
    /,
    *,
    returns: pa.DataType | str | type,
    batch_size: int | None = None,
    concurrency: int | None = None,
    backend: Backend | None = None,
    memory: int | str | None = None,
    gpus: float = 0,
    on_error: OnError = "raise",
    dead_letter: str | None = None,
    retries: int = 0,
    timeout_s: float | None = None,
    rate_limit: float | str | None = None,
) -> Columns:
    """Make a function of Arrow arrays, or a class with such a `__call__`, a column function.

    With `on_error` other than ``"raise"`` a function may see a row again: a batch that fails is split until the row
    is found, so that one bad row never costs its neighbours. So may any function whose worker process dies.

    Args:
        function: what is decorated, when `udf` is called rather than used as a decorator.
        returns: the type of the array it returns: one value for each row.
        batch_size: the most rows of a call; brim goes below it when memory asks.
        concurrency: batches under way at once; by default as many as the engine has processes or threads.
        backend: ``"process"`` (for `def` and classes), ``"thread"``, ``"async"`` (for `async def`).
        memory: what a call takes in its worker process, as in ``"1GiB"``; it is reserved with each worker, so that
            there are as many as fit with it, and calls borrow only what they turn out to take beyond it.
        gpus: devices of a worker, set as CUDA_VISIBLE_DEVICES; a fraction shares one.
        on_error: ``"raise"`` ends the run, ``"null"`` makes the row's value null, ``"drop"`` leaves the row out. A row
            that kills its worker, or lacks memory, is looked for first, whatever this says.
        dead_letter: a folder for the rows that failed, with error, traceback and signal, in Parquet.
        retries: further attempts of a call that raised, took too long or took its worker with it, after growing waits.
        timeout_s: seconds a call may take; its worker is ended and replaced then.
        rate_limit: calls begun a second: a number, ``"10/s"``, ``"600/min"``.

    Raises:
        PlanError: the options contradict each other or the function.
    """
    options = {
        "return_type": type_of(returns),
        "batch_size": batch_size,
        "concurrency": concurrency,
        "backend": backend,
        "memory": memory,
        "gpus": gpus,
        "on_error": on_error,
        "dead_letter": dead_letter,
        "retries": retries,
        "timeout_s": timeout_s,
        "rate_limit": rate_limit,
    }
    return _decorated(function, "array", options)


def row_udf(
    function: Callable[..., Any] | None = None,
    /,
    *,
    returns: pa.DataType | str | type,
    concurrency: int | None = None,
    backend: Backend | None = None,
    memory: int | str | None = None,
    gpus: float = 0,
    on_error: OnError = "raise",
    dead_letter: str | None = None,
    retries: int = 0,
    timeout_s: float | None = None,
    rate_limit: float | str | None = None,
) -> Columns:
    """Make a function of one row's Python values a column function; a null arrives as None.

    As `udf`, where a call is one row: `concurrency`, `timeout_s`, `retries` and `rate_limit` count rows.
    """
    options = {
        "return_type": type_of(returns),
        "concurrency": concurrency,
        "backend": backend,
        "memory": memory,
        "gpus": gpus,
        "on_error": on_error,
        "dead_letter": dead_letter,
        "retries": retries,
        "timeout_s": timeout_s,
        "rate_limit": rate_limit,
    }
    return _decorated(function, "row", options)


def declare(
    function: Callable[..., Any],
    kind: Kind,
    *,
    backend: Backend | None = None,
    memory: int | str | None = None,
    rate_limit: float | str | None = None,
    **options: Any,
) -> UserFunction:
    """A `UserFunction` with the defaults that follow from `function`; `options` are its other fields."""
    return UserFunction(
        name=name_of(function),
        function=function,
        kind=kind,
        backend=backend or ("async" if is_async(function) else "process"),
        memory=None if memory is None else parse_size(memory),
        rate_limit=None if rate_limit is None else parse_rate(rate_limit),
        **options,
    )


def _decorated(function: Callable[..., Any] | None, kind: Kind, options: dict[str, Any]) -> Columns:
    if function is None:
        return lambda decorated: _decorated(decorated, kind, options)
    if isinstance(function, UserColumn | UserClass):
        raise PlanError(f"{function!r} is decorated already")
    declared = declare(function, kind, **options)
    return UserClass(declared) if declared.is_class else UserColumn(declared)


def _has_expr(arguments: tuple[Any, ...], named: dict[str, Any]) -> bool:
    return any(isinstance(value, Expr | WhenThen) for value in (*arguments, *named.values()))


def _apply(declared: UserFunction, arguments: tuple[Any, ...], named: dict[str, Any]) -> Apply:
    trees: list[Tree] = []

    def slot(value: Any) -> Slot:
        if not isinstance(value, Expr | WhenThen):
            return Constant(value)
        trees.append(tree_of(value))
        return Taken(len(trees) - 1)

    positional = tuple(slot(value) for value in arguments)
    by_name = tuple((name, slot(value)) for name, value in named.items())
    plain = not by_name and all(isinstance(taken, Taken) for taken in positional)
    layout = Arguments() if plain else Arguments(positional, by_name)
    return Apply(declared if plain else dataclasses.replace(declared, arguments=layout), tuple(trees))
