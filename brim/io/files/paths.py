"""Paths: which files a reader's path means. The only place that expands folders, globs and lists.

- a file is itself, whatever its name
- a folder is every file of the format below it; names that begin with ``.`` or ``_`` are left out
- a glob is what matches it; ``**`` is any depth
- URLs of object stores are read in the same way, their keys as paths
- ``key=value`` folders below the folder that was named, or below a glob's fixed part, are Hive partitions
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, takewhile
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from brim.errors import ObjectMissing, PlanError
from brim.io.files.open_file import current_opener, is_remote
from brim.io.object_stores.listing import folder_of, is_glob
from brim.io.object_stores.object_url import SCHEMES, is_object_url, object_url
from brim.io.object_stores.objects import StoredObject
from brim.io.object_stores.ranged_file import WINDOWS_BYTES
from brim.operators.safe_url import safe_url

Paths = str | Path | Sequence[str | Path]

NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"

_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+://")
_MAGIC = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file, the values that its Hive folders give its rows, and what a store's list said of it."""

    path: str
    partition: tuple[tuple[str, str | None], ...] = ()
    listed: StoredObject | None = None


@dataclass(frozen=True, slots=True)
class LaterFiles:
    """Files that were not there when the pipeline was declared: iterating looks for them, when they are read."""

    path: Paths
    reader: str
    suffixes: tuple[str, ...]

    def __iter__(self) -> Iterator[DataFile]:
        return iter(find_files(self.path, self.reader, self.suffixes))


Files = tuple[DataFile, ...] | LaterFiles


def find_files_or_later(path: Paths, reader: str, suffixes: tuple[str, ...]) -> Files:
    """As `find_files`, for readers that were told the schema.

    What is not there yet, and what is in an object store, is looked for when it is read.
    """
    if any_remote(path):
        return LaterFiles(path, reader, suffixes)
    try:
        return find_files(path, reader, suffixes)
    except (ObjectMissing, PlanError):
        _check_paths(path, reader)
        return LaterFiles(path, reader, suffixes)


def find_files(path: Paths, reader: str, suffixes: tuple[str, ...]) -> tuple[DataFile, ...]:
    """The files meant by `path`, in the order of the list, each folder and glob sorted.

    Raises:
        ObjectMissing: a file, or a folder, that is not there.
        PlanError: nothing matches, or the path is of a kind that `reader` does not take.
    """
    found = tuple(walk_files(path, reader, suffixes))
    if not found:
        raise PlanError(f"{reader}: an empty list of paths; name a file, a folder or a glob")
    return found


def walk_files(path: Paths, reader: str, suffixes: tuple[str, ...] = ()) -> Iterator[DataFile]:
    """As `find_files`, one by one while folders are read."""
    for one in _check_paths(path, reader):
        if is_object_url(one):
            yield from _expand_url(one, reader, suffixes)
        else:
            yield from _expand(one, reader, suffixes)


def any_remote(path: Paths) -> bool:
    """Whether some of the paths given are URLs of object stores."""
    return any(map(is_object_url, _each(path)))


def _each(path: Paths) -> Sequence[str | Path]:
    return [path] if isinstance(path, str | os.PathLike) else list(path)


def _check_paths(path: Paths, reader: str) -> list[str]:
    """Each of the paths given: URLs of object stores as they are, others as `local_path`."""
    return [_check_url(one, reader) if is_object_url(one) else local_path(one, reader) for one in _each(path)]


def _check_url(url: str | Path, reader: str) -> str:
    try:
        object_url(str(url))
    except ValueError as error:
        raise PlanError(f"{reader}: {safe_url(str(url))}: {error}") from None
    return str(url)


def local_path(path: str | Path, reader: str) -> str:
    """`path` without ``file://`` and with ``~`` expanded; a `PlanError` for other schemes."""
    if not isinstance(path, str | os.PathLike):
        raise PlanError(f"{reader}: a path is a str or a pathlib.Path, not {type(path).__name__}")
    text = os.fspath(path)
    if not text:
        raise PlanError(f"{reader}: the path is empty")
    if _SCHEME.match(text):
        parts = urlsplit(text)
        if parts.scheme.lower() != "file" or parts.netloc not in ("", "localhost"):
            known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
            raise PlanError(f"{reader} takes local paths and file://, {known} URLs, not {parts.scheme}://")
        return url2pathname(parts.path)
    return str(Path(text).expanduser())


def describe_files(files: Files) -> str:
    """Where `files` are, for people.

    >>> describe_files((DataFile("data/a.csv"), DataFile("data/b.csv")))
    '2 files under data/'
    """
    if isinstance(files, LaterFiles):
        return f"{files.path}" if any_remote(files.path) else f"{files.path} (not there yet)"
    if len(files) == 1:
        return files[0].path
    folder = _common_folder(files)
    return f"{len(files)} files under {folder}/" if folder else f"{len(files)} files"


def _common_folder(files: Sequence[DataFile]) -> str:
    if all(is_object_url(file.path) for file in files):
        levels = zip(*(file.path.split("/")[:-1] for file in files), strict=False)
        return "/".join(level[0] for level in takewhile(lambda level: len(set(level)) == 1, levels))
    comparable = len({Path(file.path).is_absolute() for file in files}) == 1
    return os.path.commonpath([str(Path(file.path).parent) for file in files]) if comparable else ""


def window_bytes(files: Files) -> int:
    """What reading one of `files` holds of its object, where some are objects of stores."""
    remote = any_remote(files.path) if isinstance(files, LaterFiles) else any(is_remote(file.path) for file in files)
    return WINDOWS_BYTES if remote else 0


def _expand_url(url: str, reader: str, suffixes: tuple[str, ...]) -> Iterator[DataFile]:
    """The objects that `url` means, in the order of the store, which is that of their keys."""
    folder, found = folder_of(url), None
    for found in chain.from_iterable(current_opener(url).find(url, suffixes)):
        below = found.url.removeprefix(folder) if found.url.startswith(folder) else ""
        yield DataFile(found.url, tuple(_hive_values(below.split("/")[:-1])), found)
    if found is None:
        what = (
            "matches" if is_glob(url) else f"that ends in {' or '.join(suffixes)} is below" if suffixes else "is below"
        )
        raise PlanError(f"{reader}: no object {what} {safe_url(url)}")


def _expand(path: str, reader: str, suffixes: tuple[str, ...]) -> Iterator[DataFile]:
    place = Path(path)
    if place.is_dir():
        file = None
        for file in _walk(place, suffixes):
            yield _in_folder(file, place)
        if file is None:
            raise PlanError(f"{reader}: no {' or '.join(suffixes) or 'visible'} file under {path}")
    elif _MAGIC.search(path) and not place.exists():
        yield from _expand_glob(path, reader, suffixes)
    elif place.exists():
        yield DataFile(path)
    else:
        raise ObjectMissing(path, f"{reader}: there is no such file or folder")


def _expand_glob(path: str, reader: str, suffixes: tuple[str, ...]) -> list[DataFile]:
    root = Path(*_fixed_parts(path))
    found: list[DataFile] = []
    for match in sorted(glob.glob(path, recursive=True)):  # noqa: PTH207 - Path.glob takes no absolute pattern
        place = Path(match)
        if place.is_dir():
            if "**" not in path:
                found += [_in_folder(file, root) for file in _walk(place, suffixes)]
        elif not _hidden(place.name):
            found.append(_in_folder(place, root))
    if not found:
        raise PlanError(f"{reader}: no file matches {path}")
    return found


def _fixed_parts(path: str) -> Iterator[str]:
    for part in Path(path).parts:
        if _MAGIC.search(part):
            return
        yield part


def _walk(folder: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _hidden(name))
        for name in sorted(names):
            if not _hidden(name) and (not suffixes or name.lower().endswith(suffixes)):
                yield Path(where, name)


def _hidden(name: str) -> bool:
    return name.startswith((".", "_"))


def _in_folder(file: Path, root: Path) -> DataFile:
    return DataFile(str(file), tuple(_hive_values(file.relative_to(root).parts[:-1])))


def _hive_values(folders: Iterable[str]) -> Iterator[tuple[str, str | None]]:
    for folder in folders:
        key, equals, value = folder.partition("=")
        if key and equals:
            yield unquote(key), None if value == NULL_PARTITION else unquote(value)
