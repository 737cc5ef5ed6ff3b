"""pandas later: a worker loads pandas when its function does, not when it makes its first Arrow array.

pyarrow imports pandas, where it is installed, with the first array it is asked to make, to see whether what it is given
is a Series: 33 MiB and 0.2 s of every worker, for functions that never use it. Here it looks for pandas while that
cannot be found, and once more as soon as somebody has imported it.
"""

from __future__ import annotations

import importlib.util
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import pyarrow as pa


def load_pandas_later() -> None:
    """Let pyarrow do without pandas until it is imported. For a process of our own, before it makes an array."""
    if "pandas" in sys.modules:
        return
    hidden = _Hidden()
    sys.meta_path.insert(0, hidden)
    try:
        pa.array([0])
    finally:
        sys.meta_path.remove(hidden)
    sys.meta_path.insert(0, _Watched())


class _Hidden(MetaPathFinder):
    """A world without pandas."""

    def find_spec(self, name: str, *_: Any) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name)


class _Watched(MetaPathFinder):
    """Tells pyarrow once pandas has been imported."""

    def find_spec(self, name: str, *_: Any) -> ModuleSpec | None:
        if name != "pandas":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(Loader):
    """The loader of pandas, and a word to pyarrow afterwards."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        pa.lib._pandas_api.version  # noqa: B018, SLF001 - asking is what makes it look again
