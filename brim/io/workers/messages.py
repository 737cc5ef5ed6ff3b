"""The messages between the engine and a worker. Small JSON records; data and functions travel as payloads beside them.

engine ─► worker    Start + function     Invoke + batch     Next     Stop
worker ─► engine    Ready                Made + batch (+ failed rows)     Finished     Raised     Alive
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Start:
    """Build the function of the payload. `folder` is where payloads lie without anonymous memory.

    `most_bytes` is what the process may allocate beyond what it has then, None where nothing limits it.
    """

    folder: str | None
    most_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Invoke:
    """Call the function on the batch of the payload; cut what is larger than `piece_bytes`.

    `allowed_bytes` is by how much the process may grow meanwhile, None where nothing limits it.
    """

    call: int
    piece_bytes: int
    allowed_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Next:
    """Make the next piece of `call`, with `allowed_bytes` as for its first."""

    call: int
    allowed_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """Nothing more of `call` is wanted."""

    call: int


@dataclass(frozen=True, slots=True)
class Ready:
    """The function is built; the process holds `base_bytes`, pages it shares in proportion, `held_bytes` with them."""

    base_bytes: int
    held_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Made:
    """A piece of `call`; `last` where it is known that no other follows, and `read` where nobody refers to its batch.

    `peak_bytes` is the most the process held while it was made, `held_bytes` what is left of that; 0 where that cannot
    be measured.
    """

    call: int
    last: bool
    busy_s: float
    peak_bytes: int
    held_bytes: int = 0
    read: bool = False


@dataclass(frozen=True, slots=True)
class Finished:
    """`call` makes nothing more; `read` where nobody refers to its batch."""

    call: int
    read: bool = False


@dataclass(frozen=True, slots=True)
class Raised:
    """`call` failed; 0 is the start. `kind` is the name of the error's class in `brim.errors`.

    `peak_bytes` is the most the process held, `held_bytes` what is left of that.
    """

    call: int
    kind: str
    reason: str
    traceback: str
    peak_bytes: int = 0
    held_bytes: int = 0
    read: bool = False  # frames of the error refer to its batch


@dataclass(frozen=True, slots=True)
class Alive:
    """`call` moves on: another of its rows has begun."""

    call: int


Message = Start | Invoke | Next | Stop | Ready | Made | Finished | Raised | Alive

_KINDS: dict[str, Any] = {
    kind.__name__: kind for kind in (Start, Invoke, Next, Stop, Ready, Made, Finished, Raised, Alive)
}


def encode(message: Message) -> bytes:
    """`message` as JSON.

    >>> decode(encode(Next(3)))
    Next(call=3, allowed_bytes=None)
    """
    return orjson.dumps([type(message).__name__, asdict(message)])


def decode(data: bytes) -> Message:
    """The message that `encode` wrote."""
    kind, fields = orjson.loads(data)
    message: Message = _KINDS[kind](**fields)
    return message
