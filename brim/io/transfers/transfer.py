"""Transfer: what to ask a server for next, and what its answers mean. It decides; `http_store` does and tells.

              answered          arrived          ended, all of it there
    Ask ──────────────► Read ◄─────────┐ ────────────────────────────► Done
     ▲ │                 │    └────────┘
     │ │ failed          │ failed, or ended too early
     │ ▼                 ▼
     └── Wait  (waited: ask for what is missing)
          └─ no attempts left, not worth another, or the object changed ─► GiveUp

Rules of this file
- Every byte is handed over once, at its position. A position goes back to 0 only where the reader said it can take that
  (`restarts`), and only when the server has no way to tell an object from its successor.
- A body that was cut is resumed by `Range` with `If-Range` (a strong ETag, else Last-Modified). A server that answers
  with the whole object, and the same validator, is read again up to where we were.
- An object that changed while it was read is a failure, never a mixture. What a length or a range promised is kept or
  it is a failure, never short data.
- Failures count until a good piece has arrived after them. An answer that says when to come back is obeyed and does not
  count, up to `THROTTLED_MAX` of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus

from brim.errors import ObjectMissing, TransferFailed, TransferTimeout
from brim.sizes import KIB

WAIT_FIRST_S = 0.25
WAIT_MOST_S = 20.0
RETRY_AFTER_MOST_S = 300.0
THROTTLED_MAX = 20
PROGRESS_BYTES = 256 * KIB

_RANGE = re.compile(r"bytes\s+(\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
_UNSATISFIED = re.compile(r"bytes\s+\*/(\d{1,18})")
_AGAIN = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_MISSING = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}
_SERVER_ERRORS = 500


@dataclass(frozen=True, slots=True)
class Ask:
    """Request the object from byte `start`; with a `validator`, only if it is still the same."""

    start: int = 0
    validator: str | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """Read on, and tell what arrived."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing for `seconds`; `charged` says whether the retry is at our own wish, not at the server's."""

    seconds: float
    attempt: int
    reason: str
    charged: bool


@dataclass(frozen=True, slots=True)
class Done:
    """Every byte was handed over."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Raise `error`."""

    error: TransferFailed


Order = Ask | Read | Wait | Done | GiveUp


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of a response, as far as it matters here. `retry_after` is in seconds from now."""

    status: int
    length: int | None = None
    content_range: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    retry_after: float | None = None

    @property
    def validator(self) -> str | None:
        """What tells this object from its successor, for `If-Range`."""
        if self.etag and self.etag.startswith('"'):
            return self.etag
        return self.last_modified


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt failed; whether another may do better, and what is raised when there is none."""

    reason: str
    again: bool = True
    error: type[TransferFailed] = TransferFailed
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """Where the bytes that arrived belong, and how many of the first ones are there already."""

    start: int
    drop: int = 0


@dataclass(eq=False, slots=True)
class Transfer:
    """One object on its way here. `url` is what errors show; `uniform` draws from a range of seconds."""

    url: str
    uniform: Callable[[float, float], float]
    retries: int = 3
    restarts: bool = True
    size: int | None = None
    position: int = 0
    _known: bool = field(default=False, init=False)  # the size, or that there is none, was told
    _validator: str | None = field(default=None, init=False)
    _drop: int = field(default=0, init=False)
    _failures: int = field(default=0, init=False)
    _throttled: int = field(default=0, init=False)
    _attempts: int = field(default=0, init=False)
    _progress: int = field(default=0, init=False)

    def begin(self) -> Order:
        return self._ask()

    def answered(self, answer: Answer) -> Order:
        """The head of a response has come."""
        status = answer.status
        if status == HTTPStatus.PARTIAL_CONTENT:
            return self._partial(answer)
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return self._whole(answer)
        if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and self.position:
            return self._unsatisfied(answer)
        return self.failed(_refusal(answer))

    @property
    def to_drop(self) -> int:
        """How many of the next bytes are here already."""
        return self._drop

    def arrived(self, count: int) -> Piece | GiveUp:
        """`count` bytes have come."""
        drop = min(count, self._drop)
        self._drop -= drop
        piece = Piece(self.position, drop)
        self.position += count - drop
        if self.size is not None and self.position > self.size:
            return self._give_up(Failure(f"more than the {self.size:,} bytes that were promised"))
        self._progress += count - drop
        if self._progress >= PROGRESS_BYTES:
            self._failures = 0
        return piece

    def ended(self) -> Order:
        """The response's body has ended as the protocol has it."""
        if self._drop:
            return self._give_up(_CHANGED)
        if self.size is not None and self.position < self.size:
            return self.failed(Failure(f"the body was cut at {self.position:,} of {self.size:,} bytes"))
        self.size = self.position
        return Done()

    def failed(self, failure: Failure) -> Order:
        """The request, or reading its response, has failed."""
        if not failure.again:
            return self._give_up(failure)
        if self.position and self._validator is None and not self.restarts:
            reason = f"{failure.reason}; it cannot be resumed, the server sends neither ETag nor Last-Modified"
            return self._give_up(Failure(reason, error=failure.error))
        if failure.retry_after is None:
            self._failures += 1
        else:
            self._throttled += 1
        if self._failures > self.retries or self._throttled > THROTTLED_MAX or not self.retries:
            return self._give_up(failure)
        self._progress = 0
        return Wait(self._pause(failure), self._attempts, failure.reason, charged=failure.retry_after is None)

    def waited(self) -> Order:
        """The pause is over."""
        return self._ask()

    def parked(self) -> Order:
        """The connection was let go at our own wish: go on from where it was."""
        return self._ask(counts=False)

    def refused(self, reason: str) -> GiveUp:
        """The wait that was ordered is not allowed."""
        return self._give_up(Failure(reason))

    def _ask(self, *, counts: bool = True) -> Order:
        self._attempts += counts
        self._drop = 0
        if self.position and self._validator is None:
            if not self.restarts:
                return self._give_up(Failure("it cannot be resumed, the server sends neither ETag nor Last-Modified"))
            self.position = 0
        return Ask(self.position, self._validator if self.position else None)

    def _whole(self, answer: Answer) -> Order:
        if self.position and answer.validator != self._validator:
            return self._give_up(_CHANGED)
        size = 0 if answer.status in (HTTPStatus.NO_CONTENT, HTTPStatus.RESET_CONTENT) else answer.length
        if self._known and size is not None and self.size is not None and size != self.size:
            return self._give_up(_CHANGED)
        self._drop = self.position
        self._learn(size, answer.validator)
        return Read()

    def _partial(self, answer: Answer) -> Order:
        match = _RANGE.fullmatch((answer.content_range or "").strip())
        if not self.position or match is None or int(match[1]) != self.position:
            return self._give_up(Failure(f"a range from byte {self.position:,} was asked for, another was sent"))
        last, total = int(match[2]), None if match[3] == "*" else int(match[3])
        if self._validator not in (answer.etag or self._validator, answer.last_modified):
            return self._give_up(_CHANGED)
        if total is not None and self.size is not None and total != self.size:
            return self._give_up(_CHANGED)
        bound = self.size if total is None else total
        impossible = last < self.position or (bound is not None and last >= bound)
        if impossible or answer.length not in (None, last - self.position + 1):
            return self._give_up(Failure("its Content-Range contradicts itself or its Content-Length"))
        self._learn(total, self._validator)
        return Read()

    def _unsatisfied(self, answer: Answer) -> Order:
        match = _UNSATISFIED.fullmatch((answer.content_range or "").strip())
        if match and self.size is None and int(match[1]) == self.position:
            self.size = self.position
            return Done()  # it had ended, only its end was cut off
        return self._give_up(_CHANGED)

    def _learn(self, size: int | None, validator: str | None) -> None:
        if size is not None:
            self.size = size
        self._validator = validator
        self._known = True

    def _pause(self, failure: Failure) -> float:
        """Full jitter, after the time the server asked for."""
        most = min(WAIT_MOST_S, WAIT_FIRST_S * 2.0**self._failures)
        return min(failure.retry_after or 0.0, RETRY_AFTER_MOST_S) + self.uniform(0.0, most)

    def _give_up(self, failure: Failure) -> GiveUp:
        return GiveUp(failure.error(self.url, failure.reason, max(1, self._attempts)))


_CHANGED = Failure("it changed while it was read", again=False)


def _refusal(answer: Answer) -> Failure:
    """What a status other than success means."""
    status = answer.status
    try:
        reason = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        reason = f"status {status}"
    if status in _MISSING:
        return Failure(reason, again=False, error=ObjectMissing)
    again = status in _AGAIN or status >= _SERVER_ERRORS
    error = TransferTimeout if status in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.GATEWAY_TIMEOUT) else TransferFailed
    return Failure(reason, again=again, error=error, retry_after=answer.retry_after if again else None)
