"""Object URLs: `s3://bucket/key`, `gs://bucket/key`, `az://container/key`.

A key is meant as it stands, never decoded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

SCHEMES = ("s3", "gs", "az")

_URL = re.compile(r"(?P<scheme>s3|gs|az)://(?P<bucket>[A-Za-z0-9][A-Za-z0-9._$-]*)(?:/(?P<key>.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ObjectUrl:
    """One object, or all below a key."""

    scheme: str
    bucket: str
    key: str

    @property
    def root(self) -> str:
        """The bucket's own URL."""
        return f"{self.scheme}://{self.bucket}"

    def __str__(self) -> str:
        return f"{self.root}/{self.key}"


def is_object_url(path: object) -> bool:
    """Whether `path` names something in an object store.

    >>> is_object_url("s3://bucket/a.csv"), is_object_url("data/a.csv")
    (True, False)
    """
    return isinstance(path, str) and path.startswith(tuple(f"{scheme}://" for scheme in SCHEMES))


def object_url(url: str) -> ObjectUrl:
    """The parts of `url`; a `ValueError` says what is wrong with it.

    >>> object_url("s3://data/2024/a b.csv")
    ObjectUrl(scheme='s3', bucket='data', key='2024/a b.csv')
    """
    match = _URL.fullmatch(url)
    if match is None:
        raise ValueError("a URL of an object store is s3://bucket/key, gs://bucket/key or az://container/key")
    key = match["key"] or ""
    if any(part in (".", "..") for part in key.split("/")):
        raise ValueError("a key has no . or .. between its slashes")
    return ObjectUrl(match["scheme"], match["bucket"], key)
