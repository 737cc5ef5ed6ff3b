"""A user function as it was declared: what to call, where, how often at once, and what to do with a row that fails.

Checked here, at declaration, so that what cannot work is a `PlanError` on the line that says it.
Pickling sends an importable function by its address (see `reference.py`); what has none is left to cloudpickle.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import pyarrow as pa

from brim.errors import PlanError
from brim.operators.user_functions.arguments import Arguments
from brim.operators.user_functions.reference import Reference, reference_to

Kind = Literal["array", "row", "batch"]
Backend = Literal["process", "thread", "async"]
OnError = Literal["raise", "null", "drop"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UserFunction:
    """One declared function. A `Step` of an expression tree where it makes a column.

    Attributes:
        name: as errors, `explain` and the report show it.
        function: what is called; a class is built once in each worker with `args` and `kwargs`, its instance called.
        kind: ``"array"`` gets Arrow arrays and returns one, ``"row"`` gets the Python values of one row and returns
            one, ``"batch"`` gets a record batch and returns batches.
        return_type: the type of the column that is made (array, row).
        schema: the schema of the batches that are made, None where it is that of the input (batch).
        arguments: where the columns and the constants stand in a call.
        backend: where it runs: in worker processes, in a thread, on the event loop.
        batch_size: the most rows of a call, None for as many as memory allows.
        concurrency: calls under way at once, rows where `kind` is ``"row"``; None lets the engine decide.
        memory: bytes a call takes in its worker, where the user knows; reserved with each worker.
        gpus: devices of a worker; a fraction shares one.
        on_error: what becomes of a row whose call fails.
        dead_letter: the folder in which failed rows are kept, with error, traceback and signal.
        retries: further attempts of a call that failed.
        timeout_s: seconds a call may take.
        rate_limit: calls begun a second, over all workers.
    """

    name: str
    function: Callable[..., Any]
    kind: Kind
    return_type: pa.DataType | None = None
    schema: pa.Schema | None = None
    args: tuple[Any, ...] = field(default=(), repr=False)  # keys of services, perhaps
    kwargs: tuple[tuple[str, Any], ...] = field(default=(), repr=False)
    arguments: Arguments = field(default_factory=Arguments)
    backend: Backend = "process"
    batch_size: int | None = None
    concurrency: int | None = None
    memory: int | None = None
    gpus: float = 0
    on_error: OnError = "raise"
    dead_letter: str | None = None
    retries: int = 0
    timeout_s: float | None = None
    rate_limit: float | None = None

    def __post_init__(self) -> None:
        for problem in self._problems():
            raise PlanError(f"{self.name}: {problem}")

    def __eq__(self, other: object) -> bool:
        """By value; constants that cannot say whether they are equal (arrays) are equal only to themselves."""
        if not isinstance(other, UserFunction):
            return NotImplemented
        return all(_same(getattr(self, field.name), getattr(other, field.name)) for field in fields(self))

    def __hash__(self) -> int:
        return hash((self.name, self.kind, self.backend, self.return_type))

    def returns(self, types: tuple[pa.DataType, ...]) -> pa.DataType:  # noqa: ARG002 - functions take any types
        """The type of the column that is made, as it was declared."""
        return self.return_type

    @property
    def is_class(self) -> bool:
        """Whether `function` is a class, to be built once in each worker."""
        return inspect.isclass(self.function)

    def build(self) -> Callable[..., Any]:
        """What is called: the function itself, or a new instance of the class. Takes as long as its constructor."""
        if not self.is_class:
            return self.function
        instance: Callable[..., Any] = self.function(*self.args, **dict(self.kwargs))
        return instance

    def __getstate__(self) -> dict[str, Any]:
        state = {field.name: getattr(self, field.name) for field in fields(self)}
        return state | {"function": reference_to(self.function) or self.function}

    def __setstate__(self, state: dict[str, Any]) -> None:
        function = state["function"]
        resolved = function.resolve() if isinstance(function, Reference) else function
        for name, value in (state | {"function": resolved}).items():
            object.__setattr__(self, name, value)

    def _problems(self) -> list[str]:
        checks = [*self._type_problems(), *self._number_problems(), *self._backend_problems(), *self._error_problems()]
        return [problem for wrong, problem in checks if wrong]

    def _type_problems(self) -> list[tuple[bool, str]]:
        no_type = self.kind != "batch" and not isinstance(self.return_type, pa.DataType)
        return [
            (not callable(self.function), f"{self.function!r} cannot be called"),
            (self.kind not in ("array", "row", "batch"), f"unknown kind {self.kind!r}"),
            (no_type, f"returns= is a pyarrow type, as in returns=pa.int64(), not {self.return_type!r}"),
            (not isinstance(self.schema, pa.Schema | None), f"schema= is a pyarrow.Schema, not {self.schema!r}"),
        ]

    def _number_problems(self) -> list[tuple[bool, str]]:
        whole = [(name, getattr(self, name)) for name in ("batch_size", "concurrency", "memory")]
        above = [(name, getattr(self, name)) for name in ("timeout_s", "rate_limit")]
        return [
            *((value is not None and value < 1, f"{name} is at least 1, not {value}") for name, value in whole),
            *((value is not None and value <= 0, f"{name} is more than 0, not {value}") for name, value in above),
            (self.retries < 0, f"retries is 0 or more, not {self.retries}"),
            (self.gpus < 0, f"gpus is 0 or more, not {self.gpus}"),
            (self.gpus > 1 and self.gpus != int(self.gpus), f"gpus is a fraction of one or whole, not {self.gpus}"),
        ]

    def _backend_problems(self) -> list[tuple[bool, str]]:
        backends = ("process", "thread", "async")
        return [
            (self.backend not in backends, f"no backend {self.backend!r}: process, thread or async"),
            (self.backend == "async" and not is_async(self.function), 'backend="async" needs an `async def`'),
            (
                self.backend != "async" and is_async(self.function),
                f'an `async def` runs on the event loop: backend="async", not "{self.backend}"',
            ),
            (
                self.backend == "thread" and self.timeout_s is not None,
                'a thread cannot be stopped, so timeout_s needs backend="process" or an `async def`',
            ),
            (self.backend != "process" and self.gpus > 0, 'gpus= pins worker processes, so it needs backend="process"'),
            (
                self.kind != "batch" and is_generator(self.function),
                "a generator makes many rows of one: use map_batches, or return lists and explode()",
            ),
        ]

    def _error_problems(self) -> list[tuple[bool, str]]:
        nothing_passes = self.dead_letter is not None and self.on_error == "raise"
        null_batch = self.kind == "batch" and self.on_error == "null"
        return [
            (self.on_error not in ("raise", "null", "drop"), f"on_error is raise, null or drop, not {self.on_error!r}"),
            (null_batch, 'on_error="null" has no meaning for whole batches: use "drop"'),
            (nothing_passes, 'dead_letter= keeps rows that on_error="null" or "drop" let pass: name one of them'),
        ]


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling `function`, or an instance of it, gives something to await."""
    called = _called(function)
    return inspect.iscoroutinefunction(called) or inspect.isasyncgenfunction(called)


def is_generator(function: Callable[..., Any]) -> bool:
    """Whether calling `function`, or an instance of it, gives a generator."""
    called = _called(function)
    return inspect.isgeneratorfunction(called) or inspect.isasyncgenfunction(called)


def name_of(function: Callable[..., Any]) -> str:
    """What to call `function` in messages.

    >>> name_of(len), name_of(UserFunction)
    ('len', 'UserFunction')
    """
    inner = getattr(function, "func", function)  # functools.partial
    return getattr(inner, "__name__", None) or type(inner).__name__


def _called(function: Callable[..., Any]) -> Any:
    inner = getattr(function, "func", function)
    if inspect.isroutine(inner):
        return inner
    return inner.__call__ if inspect.isclass(inner) else getattr(type(inner), "__call__", inner)  # noqa: B004


def _same(one: Any, other: Any) -> bool:
    if one is other:
        return True
    try:
        return bool(one == other)
    except (ValueError, TypeError):
        return False
