"""The facts operators tell, and the names of the events made of them.

Operators never log and never count: they tell facts. `pipeline/` turns facts into statistics, events and the report.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Waits(StrEnum):
    """What a stage may wait for. `OUTSIDE` is split by resource in the events."""

    INPUT = "input"
    ROOM = "room"
    MEMORY = "memory"
    OUTSIDE = "outside"


class Resource(StrEnum):
    """The reasons of a wait, as the events name them.

    `CONNECTIONS` are those that were allowed, all in use while more is wanted; `NETWORK` is what a server, or the line
    to it, takes its time for.
    """

    QUEUE_FULL = "queue_full"
    NO_INPUT = "no_input"
    MEMORY = "memory"
    CONNECTIONS = "connections"
    NETWORK = "network"
    WORKERS = "workers"
    RATE_LIMIT = "rate_limit"
    THROTTLED = "throttled"
    DISK = "disk"
    CONSUMER = "consumer"
    CPU = "cpu"


@dataclass(frozen=True, slots=True)
class Retried:
    """A transfer or a call is tried again after `wait_s`."""

    what: str
    attempt: int
    wait_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class Throttled:
    """The service of a function asks to be called less: no call of the function begins for `wait_s`."""

    function: str
    wait_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class RowsFailed:
    """Rows that became null, were dropped, or were skipped, as the user asked; a file nobody can count is one."""

    what: str
    rows: int
    reason: str


@dataclass(frozen=True, slots=True)
class WorkerStarted:
    """A worker process is ready."""

    function: str
    pid: int
    base_bytes: int
    start_s: float


@dataclass(frozen=True, slots=True)
class WorkerEnded:
    """A worker process has ended; `reason` is `stop` or what went wrong."""

    function: str
    pid: int
    reason: str


@dataclass(frozen=True, slots=True)
class WorkerRestarted:
    """A worker process ended that should not have, or was ended for the memory it kept; another takes its place.

    `deaths` is how many died in a row, `wait_s` the time until another is started.
    """

    function: str
    pid: int
    reason: str
    deaths: int
    wait_s: float


@dataclass(frozen=True, slots=True)
class WorkerMemory:
    """Something was done about the memory of a worker: it was `recycled`, `killed` or `killed_by_kernel`.

    `held_bytes` is what it held, `lent_bytes` what it had been lent for its call, `workers` how many there may be now.
    """

    function: str
    pid: int
    action: str
    held_bytes: int
    lent_bytes: int
    workers: int


@dataclass(frozen=True, slots=True)
class WorkerOutput:
    """A worker process has printed `text`, and `dropped_bytes` before that; told of once a second at most."""

    function: str
    pid: int
    text: str
    dropped_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Spilled:
    """Bytes were written to, or read from, the spill folder."""

    size: int
    read: bool = False


@dataclass(frozen=True, slots=True)
class BatchResized:
    """An operator now cuts its input into pieces of `rows`."""

    rows: int
    reason: str


@dataclass(frozen=True, slots=True)
class Overshot:
    """A call turned out to hold more than was lent for it; the truth was taken at once."""

    lent_bytes: int
    held_bytes: int


Fact = (
    Retried
    | Throttled
    | RowsFailed
    | WorkerStarted
    | WorkerEnded
    | WorkerRestarted
    | WorkerMemory
    | WorkerOutput
    | Spilled
    | BatchResized
    | Overshot
)
