"""Corrupt input: the many errors that readers raise on bad data, made the few that brim names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from brim.errors import BrimError, CorruptInput, ObjectMissing, TransferFailed

_REASON_MAX = 300


@contextmanager
def reading(source: str, where: str) -> Iterator[None]:
    """Name the source and the place in it of whatever a reader raises inside.

    pyarrow answers hostile bytes with four unrelated types; an `OSError` without a number is one of them, one with a
    number comes from the file system.
    """
    try:
        yield
    except BrimError:
        raise
    except FileNotFoundError as error:
        raise ObjectMissing(source, "there is no such file") from error
    except (pa.ArrowException, UnicodeError, MemoryError, OverflowError, ValueError, EOFError) as error:
        raise CorruptInput(source, where, _reason(error)) from error
    except OSError as error:
        if error.errno is None:
            raise CorruptInput(source, where, _reason(error)) from error
        raise TransferFailed(source, error.strerror or str(error)) from error


def beside(path: str, error: BaseException) -> str:
    """The text of `error` without the file's name, for where that stands beside it.

    >>> beside("a.csv", CorruptInput("a.csv", "row 3", "one value too many"))
    'row 3: one value too many'
    """
    return str(error).removeprefix(path).lstrip(",: ")


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _REASON_MAX else f"{text[:_REASON_MAX]}…"
