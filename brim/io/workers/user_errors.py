"""Errors of user functions, made again from the text in which they arrive."""

from __future__ import annotations

from brim.errors import UdfContractError, UdfError, UdfMemoryExceeded, UdfTimeout
from brim.io.workers.messages import Raised
from brim.sizes import format_size

_KINDS: dict[str, type[UdfError]] = {
    kind.__name__: kind for kind in (UdfError, UdfContractError, UdfTimeout, UdfMemoryExceeded)
}


def error_of(function: str, message: Raised) -> UdfError:
    """The error that `message` tells of; of an unknown kind it is a `UdfError`."""
    if message.kind == UdfMemoryExceeded.__name__:
        peak = message.peak_bytes
        reason = f"{message.reason}; its worker held {format_size(peak)} at most" if peak else message.reason
        return UdfMemoryExceeded(function, reason, traceback=message.traceback, peak_bytes=peak)
    return _KINDS.get(message.kind, UdfError)(function, message.reason, traceback=message.traceback)
