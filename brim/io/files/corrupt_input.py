"""Corrupt input: the many errors that readers raise on bad data, made the few that brim names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from brim.errors import BrimError, CorruptInput, ObjectMissing, TransferFailed

_REASON_MAX = 300
_VALUE = re.compile(r"(invalid value) '.*'|(Could not convert) .* (?=with type )", re.DOTALL)  # in pyarrow's words


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
    """The text of `error` for logs and reports: without the file's name, which stands beside it, and without values.

    >>> beside("a.csv", CorruptInput("a.csv", "row 3", "one value too many"))
    'row 3: one value too many'
    >>> beside("a.csv", CorruptInput("a.csv", "row 3", "CSV conversion error to int64: invalid value 'x'"))
    'row 3: CSV conversion error to int64: invalid value'
    """
    return without_values(str(error).removeprefix(path).lstrip(",: "))


def without_values(text: str) -> str:
    """`text` without the values that pyarrow quotes: an error may show one, a log may not.

    >>> without_values("Could not convert 'x' with type str: tried to convert to int64")
    'Could not convert a value with type str: tried to convert to int64'
    """
    return _VALUE.sub(lambda found: found[1] or f"{found[2]} a value ", text)


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _REASON_MAX else f"{text[:_REASON_MAX]}…"
