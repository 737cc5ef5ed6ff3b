"""What an operator may assume about the world. Nothing in this file runs.

    Inbox ──► Operator ──► Outbox        waits: for a neighbour, for I/O
              Kernel                     never waits
              Stage                      memory, threads, clock, workers, stores, spill; and `tell`

Rules for an operator
- A frozen dataclass is its specification; what changes during a run is another object, made in `run`.
- It pushes (`outbox.send`) and never yields across an await, because a task group may be open.
- It never catches `ReaderGone` or a cancellation, never logs, never counts, never looks at the clock of the machine.
- Its module docstring has the fields Input, Output, Order, Holds, Fails.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol, Self, TypeVar, runtime_checkable

import pyarrow as pa

from brim.events import Fact, Resource
from brim.operators.foreseen import Foreseen as Foreseen  # noqa: PLC0414 - a part of the protocol, in its own file
from brim.operators.spill_space import Block as Block  # noqa: PLC0414
from brim.operators.spill_space import SpillFile as SpillFile  # noqa: PLC0414
from brim.operators.spill_space import SpillSpace as SpillSpace  # noqa: PLC0414
from brim.operators.user_functions.piece import Piece
from brim.operators.user_functions.user_function import UserFunction

T = TypeVar("T")


class ReaderGone(Exception):
    """Nobody reads the outbox any more: stop, this is an ordinary end."""


class Inbox(Protocol):
    """Batches from upstream, in order; it ends when upstream has finished. One reader."""

    def __aiter__(self) -> AsyncIterator[pa.RecordBatch]: ...

    async def __anext__(self) -> pa.RecordBatch: ...

    def take_nowait(self, most_bytes: int) -> pa.RecordBatch | None:
        """The next batch if it is there and keeps at most `most_bytes` alive; None where it is not, or too large."""


class Outbox(Protocol):
    """Where results go. One writer at a time."""

    @property
    def is_asked(self) -> bool:
        """Whether its reader has asked for a batch yet: a join asks for one side when it has the other."""

    async def send(self, batch: pa.RecordBatch, loan: Loan | None = None) -> None:
        """Hand `batch` downstream; wait while there is no room for it.

        `loan`, where there is one, has paid for the batch; it is the queue's from now on, who repays it when it is not
        needed any more.
        Batches without rows are not sent on. Raises `ReaderGone` when nobody reads any more.
        """


class Loan(Protocol):
    """Bytes on loan. Repaying twice is harmless; leaving the `with` block repays."""

    @property
    def size(self) -> int: ...

    def settle(self, size: int) -> None:
        """Say that `size` bytes are there in truth: more than was lent is taken at once, room or not.

        Nothing is lent to anybody until an overdraft is repaid. Less gives the rest back early.
        """

    def repay(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...


class Memory(Protocol):
    """Bytes a stage may use beyond the batches in its hand.

    Two kinds, because they come back at different times.

    *Ahead*: kept across waits (a window of downloads, a batch prefetched for a worker). The stage's own window floor
    pays first, so a stage whose window is empty is always granted up to `window_bytes`; what is beyond comes from the
    half of the pool that queues borrow from too.

    *Work*: held only while computing, never across a wait for a queue or for another loan, so it always comes back.
    """

    @property
    def window_bytes(self) -> int:
        """The stage's own window floor: `ahead` grants this much whenever nothing of it is in use."""

    @property
    def work_limit(self) -> int:
        """What a single work loan may always be."""

    @property
    def work_most(self) -> int:
        """The most that it may be: more than `work_limit` where no row has the oversize reserve."""

    @property
    def row_limit(self) -> int:
        """The most a single row may take ahead: the window and the oversize reserve."""

    def try_ahead(self, size: int) -> Loan | None:
        """`size` bytes if they are there at once."""

    async def ahead(self, size: int) -> Loan:
        """`size` bytes, waiting for the stage's earlier loans, or the pool's, to be repaid.

        A size beyond `window_bytes` is granted to a stage that holds no other loan from the oversize reserve, and
        raises `RowTooLarge` when it is more than that reserve can ever give.
        """

    async def work(self, size: int) -> Loan:
        """`size` bytes for computing, `work_most` at most; above `work_limit` it may be granted as `work_limit`."""

    def try_work(self, size: int) -> Loan | None:
        """As `work`, if they are there at once."""

    def holding(self) -> Holding:
        """Memory for state that is written to disk when others need it. Nothing is held yet."""


class Holding(Protocol):
    """State that a stage keeps in memory while nobody else needs that: in its window, then in the pool.

    It must be possible to write it down without borrowing anything, at any time between two batches.
    """

    @property
    def size(self) -> int: ...

    def grow(self, size: int) -> bool:
        """Hold `size` bytes more if they are there; say whether they were."""

    def let_go(self) -> None:
        """Hold nothing any more: it is written, or not needed. Harmless when repeated."""

    async def asked(self) -> None:
        """Wait until others need the memory."""


class Threads(Protocol):
    """Where computing happens: the engine's thread limiter, or the caller itself in tests."""

    @property
    def count(self) -> int: ...

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call `function` off the loop; counted as computing. A cancellation waits for the call to end."""

    async def wait(self, function: Callable[..., T], *arguments: Any) -> T:
        """As `run`, for what may wait for the outside without end: it takes no place of those that compute."""


class Clock(Protocol):
    """Monotonic seconds, and sleeping in them."""

    def now(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


@dataclass(frozen=True, slots=True)
class TransferOptions:
    """How an object is fetched.

    Attributes:
        retries: attempts after the first, for what is worth trying again.
        timeout_s: seconds an attempt may take while its reader is ready to read; None is without end.
        headers: sent to HTTP servers, as (name, value); never to another origin.
        restarts: whether the reader can take the bytes from 0 again, when a cut body cannot be resumed.
        tell: where retries are told.
        throttled: called when a server answers that it is asked for too much.
        owner: stands for the run: connections are shared evenly between owners.
    """

    retries: int = 3
    timeout_s: float | None = 60.0
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # tokens, often
    restarts: bool = False
    tell: Callable[[Fact], None] | None = None
    throttled: Callable[[], object] | None = None
    owner: object | None = None


class Body(Protocol):
    """One object on its way here, opened by `Store.open`; iterating gives (position, bytes) pieces.

    Pieces come in order, each byte once, resumed and retried as the store can. Only a reader that said `restarts` may
    see the position go back to 0. Errors are `TransferFailed`.
    """

    @property
    def size(self) -> int | None:
        """Bytes of the whole object, None while unknown."""

    def park(self) -> None:
        """Let the connection go, because the reader has to wait; the next piece takes one again and reads on."""

    def __aiter__(self) -> AsyncIterator[tuple[int, bytes]]: ...

    async def __anext__(self) -> tuple[int, bytes]: ...


class DirectBody(Protocol):
    """What a `Body` may have beside its pieces: it can be received into the memory of its reader."""

    async def read_into(self, memory: memoryview) -> tuple[int, int] | None:
        """Put the next bytes at the beginning of `memory`: where in the object they belong, and how many they are.

        It comes back when `memory`, which is not empty, is full or the object has ended, or sooner; None at the end.
        """


class Store(Protocol):
    """Where objects are: HTTP servers, files, object stores."""

    def open(self, url: str, options: TransferOptions) -> AbstractAsyncContextManager[Body]:
        """Begin to fetch `url`. The body's size is known before its first piece is asked for, where it can be known."""


class Stores(Protocol):
    """All stores of an engine."""

    def store(self, url: str) -> Store:
        """The store for the scheme of `url`; a `PlanError` names the schemes there are."""


class Call(Protocol):
    """One call of a user function on a batch."""

    async def next_piece(self) -> Piece | None:
        """What the call makes next, made only now that it is asked for; None at the end.

        Raises `UdfError` and its kinds, and `WorkerDied`; `UdfMemoryExceeded` where it found too little memory.
        """


class Caller(Protocol):
    """A user function, ready to be called where it runs: in worker processes, a thread or the loop."""

    @property
    def window(self) -> int:
        """The calls worth beginning at once: those that compute, and those made ready beside them."""

    def call(self, batch: pa.RecordBatch, work_bytes: int = 0, *, alone: bool = False) -> Call:
        """A call on `batch`, whose columns are the arguments in order.

        At most the function's `concurrency` compute at once; the rest wait in order. `work_bytes` is what the call is
        expected to take beside input and output; a process borrows it. An `alone` call begins when no other runs.
        """


class Workers(Protocol):
    """What runs user functions."""

    def open(
        self,
        function: UserFunction,
        stage: Stage,
        *,
        most: int | None = None,
        places: Sequence[tuple[int, ...]] = (),
    ) -> AbstractAsyncContextManager[Caller]:
        """Make `function` ready for `stage`; leaving the block ends its calls.

        It gets at most so many processes, each on the devices of one of `places` where its function wants some.
        """


class Stage(Protocol):
    """What a running operator is given."""

    @property
    def id(self) -> str: ...

    @property
    def batch_bytes(self) -> int:
        """The most a batch weighs, a single row apart."""

    @property
    def memory(self) -> Memory: ...

    @property
    def owner(self) -> object | None:
        """Stands for the run, where runs share something."""

    @property
    def threads(self) -> Threads: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def random(self) -> Random: ...

    @property
    def stores(self) -> Stores: ...

    @property
    def workers(self) -> Workers: ...

    @property
    def spill(self) -> SpillSpace: ...

    def tell(self, fact: Fact) -> None:
        """Say that something happened; never waits, never raises."""

    def waiting(self, resource: Resource) -> AbstractContextManager[None]:
        """Around a wait for the outside: the network, a worker, a disk, an iterable of the user's."""

    def working(self) -> AbstractContextManager[object]:
        """Around computing that goes on in a worker process; what `threads.run` computes is counted anyway."""


class Operator(Protocol):
    """One stage of a running pipeline."""

    def floor_bytes(self, batch_bytes: int) -> int:
        """The most it has in hand at once, all `ahead` window included, when batches weigh `batch_bytes`."""

    def window_bytes(self, batch_bytes: int) -> int:
        """The part of `floor_bytes` that `Memory.ahead` pays from first; 0 where nothing is kept ahead."""

    async def run(self, inboxes: Sequence[Inbox], outbox: Outbox, stage: Stage) -> None:
        """Read the inboxes to their end, or return early when enough has been read."""


@runtime_checkable
class NeedsReserve(Protocol):
    """An operator that knows before it runs that it will take from the oversize reserve."""

    @property
    def reserve_bytes(self) -> int: ...

    @property
    def reserve_reason(self) -> str:
        """What takes so much, for people."""


class Kernel(Protocol):
    """The part of an operator that only computes: no awaiting, no clock, no I/O, no logging, no borrowing."""

    def push(self, batch: pa.RecordBatch, piece_bytes: int) -> Iterator[pa.RecordBatch]:
        """Take one batch; yield what can go downstream now, about `piece_bytes` at a time."""

    def finish(self, piece_bytes: int) -> Iterator[pa.RecordBatch]:
        """Yield what is left once upstream has ended."""


@runtime_checkable
class ForeseeingKernel(Kernel, Protocol):
    """A stateless kernel that can tell what a batch will take before it is pushed: it reads headers.

    At the start of a run the bridge asks for `within` once and drives what it is given. Before each push it asks for
    `foresee`, in a thread, and borrows `held_bytes` of the answer.
    """

    def within(self, row_bytes: int) -> ForeseeingKernel:
        """This kernel, made to refuse a row that would take more than `row_bytes` (work and output) by itself.

        It does so before the memory is taken, when the row's turn comes: `push` raises `RowTooLarge` with the row's
        place in its batch, or makes the row null and tells so where the user asked for that.
        """

    def foresee(self, batch: pa.RecordBatch) -> Foreseen:
        """What pushing `batch` will take; rows that `push` would refuse count as nothing. Raises nothing."""


KernelFactory = Callable[[], Kernel]
