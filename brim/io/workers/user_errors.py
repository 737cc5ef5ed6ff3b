"""Errors of user functions, made again from the text in which they arrive."""

from __future__ import annotations

from brim.errors import UdfContractError, UdfError, UdfMemoryExceeded, UdfTimeout
from brim.io.workers.messages import Raised

_KINDS: dict[str, type[UdfError]] = {
    kind.__name__: kind for kind in (UdfError, UdfContractError, UdfTimeout, UdfMemoryExceeded)
}


def error_of(function: str, message: Raised) -> UdfError:
    """The error that `message` tells of; of an unknown kind it is a `UdfError`."""
    return _KINDS.get(message.kind, UdfError)(function, message.reason, traceback=message.traceback)
