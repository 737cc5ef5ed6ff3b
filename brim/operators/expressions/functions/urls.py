"""`.url`: the parts of URLs. `.url.download` waits, so it is no function but a step of its own."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa

from brim.operators.expressions.function import Function, Values, each_row, entry
from brim.operators.expressions.functions.strings import TEXT, meet_texts

FUNCTIONS: dict[str, Function] = {}
_PARTS = pa.struct(
    [
        ("scheme", pa.string()),
        ("host", pa.string()),
        ("port", pa.int32()),
        ("path", pa.string()),
        ("query", pa.string()),
        ("fragment", pa.string()),
    ]
)


@entry(FUNCTIONS, "url.parse", TEXT, meet_texts)
def parse(urls: Values) -> pa.Array:
    """A struct of scheme, host, port, path, query and fragment; a part that is not there is null, as is a bad URL.

    >>> call("url.parse", ["https://example.org:8080/a?b=c"])[0]["host"]
    'example.org'
    """
    return each_row(_parsed, urls, _PARTS)


def _parsed(url: str) -> dict[str, Any] | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    found = {"scheme": parts.scheme, "host": parts.hostname, "path": parts.path}
    found |= {"query": parts.query, "fragment": parts.fragment}
    return {name: value or None for name, value in found.items()} | {"port": port}
