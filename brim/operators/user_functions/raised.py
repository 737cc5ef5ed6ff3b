"""What a user function raised, as the run sees it: text, because the exception may exist only in a worker."""

from __future__ import annotations

import traceback

from brim.errors import UdfError, UdfMemoryExceeded

REASON_CHARS, TRACE_CHARS = 500, 8000
WORDS_OF_MEMORY = (
    "out of memory",
    "cannot allocate memory",
    "can't allocate memory",
    "could not allocate",
    "failed to allocate",  # onnxruntime's arena
    "unable to allocate",
    "allocation failed",
    "not enough memory",  # torch's allocator
    "insufficient memory",
    "bad_alloc",
    "bad allocation",
)
WORDS_OF_THREADS = ("can't start new thread", "resource temporarily unavailable")  # whose stacks found no place


def raised(name: str, error: BaseException) -> UdfError:
    """What `error`, raised in function `name`, is to the run: its text, because it may exist only in a worker.

    >>> raised("f", ValueError("no")).reason
    'ValueError: no'
    """
    if isinstance(error, UdfError):
        return error
    kind = UdfMemoryExceeded if is_of_memory(error) else UdfError
    reason = f"{type(error).__name__}: {_text_of(error)}"[:REASON_CHARS]
    trace = error.__traceback__
    while trace is not None and _is_ours(trace.tb_frame.f_globals.get("__name__", "")):
        trace = trace.tb_next
    try:
        lines = "".join(traceback.format_exception(type(error), error, trace))
    except Exception as broken:  # noqa: BLE001 - an exception whose own text raises
        lines = f"{type(error).__name__} (its traceback cannot be shown: {type(broken).__name__})"
    lines = lines if len(lines) <= TRACE_CHARS else f"...{lines[-TRACE_CHARS:]}"
    return kind(name, clean(reason), traceback=clean(lines))


def told(error: UdfError) -> str:
    """What is kept of the error of a row: its kind, where that is brim's and not the function's, and its reason."""
    return error.reason if type(error) is UdfError else f"{type(error).__name__}: {error.reason}"


def is_of_memory(error: BaseException) -> bool:
    """Whether `error` says that memory is short: models raise errors of their own, of the host's or a device's."""
    text = _text_of(error).lower()
    return isinstance(error, MemoryError) or any(words in text for words in (*WORDS_OF_MEMORY, *WORDS_OF_THREADS))


def clean(text: str) -> str:
    """`text` without lone surrogates, which neither Arrow nor JSON can carry."""
    return text.encode("utf-8", "backslashreplace").decode()


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as broken:  # noqa: BLE001 - as above
        return f"(its text cannot be shown: {type(broken).__name__})"


def _is_ours(module: str) -> bool:
    return module.startswith(("brim.operators.", "brim.io.workers."))
