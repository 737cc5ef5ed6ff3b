"""Refusals: what obstore raises, as failures of an attempt. Its texts hold signed URLs, so ours are made of codes."""

from __future__ import annotations

import re
from http import HTTPStatus

from brim.errors import ObjectMissing, TransferFailed, TransferTimeout
from brim.io.transfers.transfer import Failure

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w{1,60})</Code>")
_KIND = re.compile(r"HttpError \{\s*kind: (\w+)")
_SYSTEM = re.compile(r'kind: \w+,\s*message: "([^"]{1,80})"')
_REGION = "Received redirect without LOCATION"
_CREDENTIALS = "say other keys in storage=, or the environment's, or storage={'anonymous': True} for public data"
_SERVER_ERRORS = 500
UNKNOWN = "501 Not Implemented"
TAKEN = "something else has been written there meanwhile"
THROTTLED_S = 1.0  # how long a bucket that says it is asked too often is left alone; obstore shows no Retry-After


def failure_of(error: Exception) -> Failure:
    """What `error` of obstore means for the attempt."""
    name, text = type(error).__name__, str(error)
    if isinstance(error, NotImplementedError):
        return Failure(UNKNOWN, again=False)
    if name == "PreconditionError":
        return Failure("it changed while it was read", again=False)
    if name == "AlreadyExistsError":
        return Failure(TAKEN, again=False)
    status, code = _STATUS.search(text), _CODE.search(text)
    if isinstance(error, FileNotFoundError):
        what = "there is no such bucket" if code and "Bucket" in code[1] else "there is no such object"
        return Failure(what, again=False, error=ObjectMissing)
    if _REGION in text:
        return Failure("the bucket is in another region; say it: storage={'region': …}", again=False)
    if status is not None:
        return _of_status(int(status[1]), code[1] if code else "")
    if name in ("PermissionDeniedError", "UnauthenticatedError"):
        return Failure(f"access is denied; {_CREDENTIALS}", again=False)
    if (kind := _KIND.search(text)) is not None:
        system = _SYSTEM.search(text)
        reason = f"the connection failed ({system[1] if system else kind[1]})"
        return Failure(reason, error=TransferTimeout if kind[1] == "Timeout" else TransferFailed)
    if "redential" in text or "token" in text:
        return Failure(f"no credentials were found; {_CREDENTIALS}", again=False)
    return Failure(f"the transfer failed ({name})")


def _of_status(status: int, code: str) -> Failure:
    try:
        reason = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        reason = f"status {status}"
    reason = f"{reason} ({code})" if code else reason
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return Failure(f"{reason}; {_CREDENTIALS}", again=False)
    throttled = status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
    again = throttled or status >= _SERVER_ERRORS or status == HTTPStatus.REQUEST_TIMEOUT
    return Failure(reason, again=again, retry_after=THROTTLED_S if throttled else None)
