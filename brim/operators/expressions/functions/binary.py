"""`.bin`: functions of bytes. `.bin.decompress` inflates, so it is no function but a step of its own."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import types

from brim.operators.codecs import check_codec
from brim.operators.codecs import compress as compress_value
from brim.operators.expressions.function import Function, Values, each_row, entry
from brim.operators.expressions.promotion import NoCommonType, is_bytes, is_text

FUNCTIONS: dict[str, Function] = {}
BYTES = "binary"


def meet_bytes(values: Sequence[Values], leaves: Sequence[Any]) -> list[Values]:  # noqa: ARG001 - the shape of a meet
    """Binary of a variable length; a column of nothing but nulls passes for binary."""
    for value in values:
        if not (is_bytes(value.type) or types.is_null(value.type)):
            raise NoCommonType(f"{value.type} is not binary")
    variable = [types.is_binary(value.type) or types.is_large_binary(value.type) for value in values]
    return [value if fits else pc.cast(value, pa.binary()) for value, fits in zip(values, variable, strict=True)]


@entry(FUNCTIONS, "bin.size", BYTES, meet_bytes)
def size(values: Values) -> pa.Array:
    """How many bytes.

    >>> call("bin.size", [b"abc", None])
    [3, None]
    """
    return pc.binary_length(values)


@entry(FUNCTIONS, "bin.slice", BYTES, meet_bytes)
def slice_bytes(values: Values, offset: int, length: int | None = None) -> pa.Array:
    """`length` bytes from `offset` on, which counts from the end when negative; without `length`, all of them.

    >>> call("bin.slice", [b"hello"], offset=1, length=3)
    [b'ell']
    """
    stop = None if length is None or offset < 0 <= offset + length else offset + length
    return pc.binary_slice(values, start=offset, stop=stop)


@entry(FUNCTIONS, "bin.contains", BYTES, meet_bytes)
def contains(values: Values, literal: bytes) -> pa.Array:
    """Whether the bytes are found.

    >>> call("bin.contains", [b"abc", b"x"], literal=b"bc")
    [True, False]
    """
    return pc.match_substring(values, pattern=literal)


@entry(FUNCTIONS, "bin.starts_with", BYTES, meet_bytes)
def starts_with(values: Values, prefix: bytes) -> pa.Array:
    r"""Whether it begins with `prefix`, such as the magic number of a file format.

    >>> call("bin.starts_with", [b"\xff\xd8\xff", b"x"], prefix=b"\xff\xd8")
    [True, False]
    """
    return pc.starts_with(values, pattern=prefix)


@entry(FUNCTIONS, "bin.ends_with", BYTES, meet_bytes)
def ends_with(values: Values, suffix: bytes) -> pa.Array:
    """Whether it ends with `suffix`.

    >>> call("bin.ends_with", [b"abc"], suffix=b"c")
    [True]
    """
    return pc.ends_with(values, pattern=suffix)


_ENCODERS: dict[str, Callable[[bytes], bytes]] = {"hex": binascii.hexlify, "base64": base64.b64encode}
_DECODERS: dict[str, Callable[[str], bytes]] = {
    "hex": binascii.unhexlify,
    "base64": lambda text: base64.b64decode(text, validate=True),
}


def _coder(table: dict[str, Callable[[Any], bytes]], encoding: str) -> Callable[[Any], bytes]:
    if encoding not in table:
        raise ValueError(f'an encoding is "hex" or "base64", not {encoding!r}')
    return table[encoding]


@entry(FUNCTIONS, "bin.encode", BYTES, meet_bytes)
def encode(values: Values, encoding: str) -> pa.Array:
    """As text, in "hex" or "base64".

    >>> call("bin.encode", [b"hi"], encoding="hex"), call("bin.encode", [b"hi"], encoding="base64")
    (['6869'], ['aGk='])
    """
    coder = _coder(_ENCODERS, encoding)
    return each_row(lambda row: coder(row).decode("ascii"), values, pa.large_string())


@entry(FUNCTIONS, "bin.decode", "binary or strings")
def decode(values: Values, encoding: str, strict: bool = True) -> pa.Array:
    """The bytes that the text writes in "hex" or "base64"; bad text is an error or, when not strict, null.

    >>> call("bin.decode", ["6869", "zz"], encoding="hex", strict=False)
    [b'hi', None]
    """
    if not (is_text(values.type) or is_bytes(values.type) or types.is_null(values.type)):
        raise TypeError(f"{values.type} is no text")
    coder = _coder(_DECODERS, encoding)

    def decoded(row: Any) -> bytes | None:
        try:
            return coder(row)
        except ValueError:
            if strict:
                raise
            return None

    return each_row(decoded, values, pa.large_binary())


@entry(FUNCTIONS, "bin.compress", BYTES, meet_bytes)
def compress(values: Values, codec: str) -> pa.Array:
    """Compressed, each value by itself, by one of the codecs of `brim.operators.codecs`.

    >>> len(call("bin.compress", [bytes(1000)], codec="zstd")[0]) < 100
    True
    """
    check_codec(codec)
    return each_row(lambda row: compress_value(codec, row), values, pa.large_binary())
