"""Listing: which objects a URL means: itself, all below it, or those that a glob matches. Keys are read as paths.

As with files of this machine: names that begin with ``.`` or ``_`` are left out of folders and globs, ``**`` is any
depth, and what a glob matches may be a folder.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from functools import lru_cache

from brim.errors import ObjectMissing
from brim.io.object_stores.objects import Objects, StoredObject

_MAGIC = re.compile(r"[*?\[]")


def is_glob(url: str) -> bool:
    """Whether `url` has wildcards.

    >>> is_glob("s3://data/2024/*.csv"), is_glob("s3://data/2024/a.csv")
    (True, False)
    """
    return _MAGIC.search(url) is not None


def folder_of(url: str) -> str:
    """The part of `url` that is listed: up to its first wildcard, else all of it; ends with a slash.

    >>> folder_of("s3://data/2024/*/a.csv"), folder_of("s3://data/2024")
    ('s3://data/2024/', 's3://data/2024/')
    """
    match = _MAGIC.search(url)
    return url.rstrip("/") + "/" if match is None else url[: url.rindex("/", 0, match.start()) + 1]


async def find(objects: Objects, url: str, suffixes: tuple[str, ...]) -> AsyncIterator[list[StoredObject]]:
    """The objects meant by `url`, some at a time, in the order of the store; none where a glob matches none.

    Raises:
        ObjectMissing: there is neither an object nor a folder of this name.
    """
    if not is_glob(url) and not url.endswith("/") and objects.buckets.place(url).key:
        try:
            yield [await objects.head(url)]
        except ObjectMissing as error:
            missing = error
        else:
            return
    else:
        missing = None
    some = False
    async for chunk in objects.below(folder_of(url)):
        if found := [one for one in chunk if wanted(one.url, url, suffixes)]:
            some = True
            yield found
    if missing is not None and not some:
        raise missing


def wanted(found: str, url: str, suffixes: tuple[str, ...]) -> bool:
    """Whether the object `found` is one that `url`, a folder or a glob, means.

    >>> wanted("s3://b/x/y.csv", "s3://b/*", (".csv",)), wanted("s3://b/_tmp/y.csv", "s3://b/", ())
    (True, False)
    """
    folder = folder_of(url)
    if not found.startswith(folder) or found.endswith("/"):
        return False
    parts = found[len(folder) :].split("/")
    if any(part.startswith((".", "_")) for part in parts):
        return False
    if not is_glob(url):
        return _has_suffix(found, suffixes)
    pattern = url[len(folder) :].rstrip("/").split("/")
    if _regex("/".join(pattern)).fullmatch("/".join(parts)):
        return True
    if "**" in pattern or len(parts) <= len(pattern):
        return False
    below = _regex("/".join(pattern)).fullmatch("/".join(parts[: len(pattern)]))
    return below is not None and _has_suffix(found, suffixes)


def _has_suffix(found: str, suffixes: tuple[str, ...]) -> bool:
    return not suffixes or found.lower().endswith(suffixes)


@lru_cache(maxsize=64)
def _regex(pattern: str) -> re.Pattern[str]:
    """A glob of path parts: ``*`` and ``?`` stay within a part, a part ``**`` is any number of them."""
    made = ""
    for token in re.findall(r"\*\*/|\*\*|\*|\?|\[[!^]?\]?[^\]]*\]|.", pattern, re.DOTALL):
        match token:
            case "**/":
                made += "(?:[^/]+/)*"
            case "**":
                made += ".*"
            case "*":
                made += "[^/]*"
            case "?":
                made += "[^/]"
            case _ if len(token) > 1:
                inner = token[1:-1].replace("\\", r"\\")
                made += f"[^{inner[1:]}/]" if inner[0] in "!^" else f"[{inner}]"
            case _:
                made += re.escape(token)
    return re.compile(made, re.DOTALL)
