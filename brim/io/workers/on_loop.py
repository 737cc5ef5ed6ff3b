"""Calls of async functions on the event loop: rows or batches under way are counted exactly.

A row function's rows begin in order, whatever batch they come in; each has its own time limit, retries and place in the
rate. The instance of a class is made once for a stage, on the loop, so that its constructor may use it.

Every call passes the entrance first. One whose service asks to wait closes it to all calls of the function. Where the
service named a time the call is made again at no cost, up to `THROTTLED_MOST` times, because nothing is wrong with its
row; where it named none (an outage, a quota that is used up) it costs one of the `retries` like any other error. A call
that waits keeps its slot: nobody else could use it, and rows begin in order.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import anyio
import pyarrow as pa

from brim.errors import UdfError, UdfTimeout
from brim.events import Resource, Retried
from brim.io.workers.entrance import Entrance, SharedGate
from brim.io.workers.throttling import wish_of
from brim.operators.protocol import Stage
from brim.operators.user_functions.apply_function import rows_of
from brim.operators.user_functions.attempts import may_try_again, wait_to_try_again
from brim.operators.user_functions.contract import checked_array, checked_batches
from brim.operators.user_functions.own_cancellation import is_its_own
from brim.operators.user_functions.piece import Piece
from brim.operators.user_functions.raised import raised, told
from brim.operators.user_functions.rate_limit import TokenBucket
from brim.operators.user_functions.row_results import RowResults, RowTimedOut, result_batch
from brim.operators.user_functions.user_function import UserFunction
from brim.operators.user_functions.without_words import without_words
from brim.sizes import cut

DEFAULT_CONCURRENCY = 16
CLOSE_S = 5.0
THROTTLED_MOST = 20


@dataclass(eq=False, slots=True)
class LoopCaller:
    """Calls of one stage; `called` is the function or the instance, `shared` the gate of all stages that call it."""

    function: UserFunction
    stage: Stage
    called: Callable[..., Any]
    shared: SharedGate = field(default_factory=SharedGate)
    entrance: Entrance = field(init=False)
    slots: anyio.Semaphore = field(init=False)
    line: anyio.Lock = field(default_factory=anyio.Lock)  # one batch at a time begins its rows
    generators: set[Any] = field(default_factory=set)
    _places: int = 0

    def __post_init__(self) -> None:
        self.slots = anyio.Semaphore(self.window)
        rate = self.function.rate_limit
        bucket = None if rate is None else TokenBucket(rate)
        self.entrance = Entrance(self.function.name, self.stage, self.shared, bucket)

    @property
    def window(self) -> int:
        return self.function.concurrency or DEFAULT_CONCURRENCY

    def call(self, batch: pa.RecordBatch, work_bytes: int = 0, *, alone: bool = False) -> LoopCall:  # noqa: ARG002 - is not measured here
        return LoopCall(self, batch, self.place())

    def place(self) -> int:
        """The next place in the order of calls."""
        self._places += 1
        return self._places

    async def made(self, place: int, begin: Callable[[], Awaitable[Any]]) -> Any:
        """What a call comes to, made again as often as its service asks to wait and says how long."""
        calls = 0
        while True:
            episode, calls = await self.entrance.enter(place), calls + 1
            try:
                value = await _within(self.function, begin())
            except (Exception, RowTimedOut) as error:
                wish = wish_of(error, datetime.now(UTC))
                if wish is None:
                    self.entrance.leave(episode, answered=not isinstance(error, RowTimedOut))
                    raise
                reason = _why(self.function, error)
                pause = self.entrance.throttled(wish.seconds, reason)
                if wish.seconds is None or not wish.alone or calls > THROTTLED_MOST:
                    raise
                if not self.entrance.refuses:
                    self.stage.tell(Retried(self.function.name, calls, pause.seconds, reason))
            except BaseException:
                self.entrance.leave(episode, answered=False)
                raise
            else:
                self.entrance.leave(episode, answered=True)
                return value

    async def aclose(self) -> None:
        """End the generators that were left, all at once; what one of them raises is raised when all have ended."""
        errors: list[Exception] = []

        async def close(generator: Any) -> None:
            try:
                await generator.aclose()
            except Exception as error:  # noqa: BLE001 - whatever the user's `finally` raises
                errors.append(error)

        with anyio.move_on_after(CLOSE_S, shield=True):
            async with anyio.create_task_group() as tasks:
                for generator in self.generators:
                    tasks.start_soon(close, generator)
        if errors:
            raise raised(self.function.name, errors[0]) from errors[0]


@dataclass(eq=False, slots=True)
class LoopCall:
    """One call; for a row function one batch of rows."""

    caller: LoopCaller
    batch: pa.RecordBatch
    place: int
    _begun: bool = False
    _made: Any = None
    _ready: list[pa.RecordBatch] = field(default_factory=list)

    async def next_piece(self) -> Piece | None:
        with self.caller.stage.waiting(Resource.CONNECTIONS):
            match self.caller.function.kind:
                case "array":
                    return await self._once(self._array)
                case "row":
                    return await self._once(_Rows(self.caller, self.batch).piece)
                case "batch":
                    return await self._next_batch()

    async def _once(self, make: Callable[[], Awaitable[Piece]]) -> Piece | None:
        if self._begun:
            return None
        self._begun = True
        return await make()

    async def _array(self) -> Piece:
        function = self.caller.function
        try:
            value = await self.caller.made(self.place, self._begin_array)
        except (Exception, RowTimedOut) as error:
            raise _what(function, error) from error
        return Piece(result_batch(checked_array(function.name, value, function.return_type, self.batch.num_rows)))

    def _begin_array(self) -> Awaitable[Any]:
        awaitable: Awaitable[Any] = self.caller.function.arguments.call(self.caller.called, self.batch.columns)
        return awaitable

    async def _next_batch(self) -> Piece | None:
        function, stage = self.caller.function, self.caller.stage
        schema = function.schema or self.batch.schema
        while not self._ready:
            try:
                value = await self._next_value()
            except StopAsyncIteration:
                self.caller.generators.discard(self._made)
                return None
            except (Exception, RowTimedOut) as error:
                raise _what(function, error) from error
            for made in checked_batches(function.name, value, schema):
                self._ready.extend(cut(made, stage.batch_bytes))
        return Piece(self._ready.pop(0))

    async def _next_value(self) -> Any:
        """The first is asked for again where its service asks to wait; after that a generator has ended."""
        if not self._begun:
            self._begun = True
            return await self.caller.made(self.place, self._begin_batch)
        if not isinstance(self._made, AsyncIterator):
            raise StopAsyncIteration
        try:
            return await _within(self.caller.function, anext(self._made))
        except Exception as error:
            if (wish := wish_of(error, datetime.now(UTC))) is not None:
                self.caller.entrance.throttled(wish.seconds, _why(self.caller.function, error))
            raise

    def _begin_batch(self) -> Awaitable[Any]:
        self.caller.generators.discard(self._made)
        self._made = self.caller.function.arguments.call(self.caller.called, [self.batch])
        if not isinstance(self._made, AsyncIterator):
            awaitable: Awaitable[Any] = self._made
            return awaitable
        self.caller.generators.add(self._made)
        return anext(self._made)


@dataclass(eq=False, slots=True)
class _Rows:
    """The rows of one batch, each called in a task of its own once a slot is free."""

    caller: LoopCaller
    batch: pa.RecordBatch
    results: RowResults = field(init=False)

    def __post_init__(self) -> None:
        self.results = RowResults(self.caller.function, self.batch.num_rows)

    async def piece(self) -> Piece:
        async with anyio.create_task_group() as tasks, self.caller.line:
            for row, given in enumerate(rows_of(self.batch)):
                await self.caller.slots.acquire()
                tasks.start_soon(self._row, row, given, self.caller.place(), tasks.cancel_scope)
        return self.results.piece()

    async def _row(self, row: int, given: tuple[Any, ...], place: int, all_rows: anyio.CancelScope) -> None:
        try:
            error = await self._attempts(row, given, place)
        finally:
            self.caller.slots.release()
        if error is not None:
            self.results.raised(row, error)
            if self.results.is_over:
                all_rows.cancel()

    async def _attempts(self, row: int, given: tuple[Any, ...], place: int) -> BaseException | None:
        """Call until the row has a result; else the last error."""
        function, stage = self.caller.function, self.caller.stage

        def begin() -> Awaitable[Any]:
            awaitable: Awaitable[Any] = function.arguments.call(self.caller.called, given)
            return awaitable

        attempt = 1
        while True:
            try:
                self.results.returned(row, await self.caller.made(place, begin))
            except (Exception, RowTimedOut) as error:  # noqa: BLE001 - whatever a user's row raises
                what = _what(function, error)
                if self.caller.entrance.refuses or not may_try_again(what, attempt, function.retries):
                    return error
                await wait_to_try_again(function, attempt, _why(function, error), stage)
                attempt += 1
            else:
                return None


async def _within(function: UserFunction, awaitable: Awaitable[Any]) -> Any:
    """The result of `awaitable`, in `timeout_s` at most."""
    with anyio.move_on_after(function.timeout_s):
        try:
            return await awaitable
        except SystemExit as error:  # it would end the loop
            raise raised(function.name, error) from error
        except BaseException as error:
            if is_its_own(error):
                raise UdfError(function.name, "raised CancelledError though nobody cancelled it") from error
            raise
    raise RowTimedOut


def _why(function: UserFunction, error: BaseException) -> str:
    """What logs say of it."""
    what = _what(function, error)
    return without_words(told(what), what.traceback)


def _what(function: UserFunction, error: BaseException) -> UdfError:
    """`error` as the run sees it."""
    if isinstance(error, RowTimedOut):
        return UdfTimeout(function.name, f"took longer than {function.timeout_s} s")
    return raised(function.name, error)
