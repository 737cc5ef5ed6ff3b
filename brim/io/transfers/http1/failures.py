"""What can go wrong with an attempt, as failures a `Transfer` understands.

Texts are made here of types and numbers: those of exceptions may carry secrets.
"""

from __future__ import annotations

import os
import socket
import ssl

from brim.errors import EgressDenied, TransferTimeout
from brim.io.transfers.transfer import Failure


class AttemptFailed(Exception):
    """An attempt went wrong; caught where the transfer is told."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


class Stale(Exception):
    """A connection that had served before was closed before it answered: the request was hardly seen, ask anew."""


class Denied(OSError):
    """The address may not be dialled. All have the same text, so that one stands for several."""

    def __str__(self) -> str:
        return "not an address this engine may dial"


NO_URL = Failure("it is no URL that can be requested", again=False)
NOT_HTTP = Failure("its answer is not valid HTTP")
CUT = Failure("the body was cut")


def no_answer(error: BaseException | None) -> Failure:
    """The connection ended before there was an answer."""
    return Failure(f"the connection failed ({type(error).__name__ if error else 'closed without an answer'})")


def silent(seconds: float) -> Failure:
    """The server has not sent a byte for `seconds`."""
    return Failure(f"nothing came for {seconds:g} s", error=TransferTimeout)


def too_slow(seconds: float) -> Failure:
    """The attempt has had its `seconds`."""
    return Failure(f"it took more than {seconds:g} s", error=TransferTimeout)


def not_connected(error: OSError) -> Failure:
    """Why there is no connection."""
    match error:
        case Denied():
            return Failure(str(error), again=False, error=EgressDenied)
        case socket.gaierror():
            return Failure("its host has no address")
        case ssl.SSLError():
            return Failure(f"no trusted connection ({error.reason or 'TLS failed'})", again=False)
        case TimeoutError():
            return Failure("it could not be reached in time", error=TransferTimeout)
        case _:
            why = os.strerror(error.errno) if error.errno else type(error).__name__
            return Failure(f"it cannot be reached ({why})")
