"""pandas later: pyarrow looks for pandas when somebody has imported it, not when it makes its first array.

pyarrow imports pandas, where it is installed, with the first array or scalar it is asked to make, to see whether what
it is given is a Series: 33 MiB and 0.25 s of every process, for pipelines that never use it. Here it looks while pandas
cannot be found, and once more as soon as somebody has imported it. What needs pandas, such as `Table.to_pandas`,
imports it as ever.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from threading import get_ident
from types import ModuleType
from typing import Any

import pyarrow as pa


def load_pandas_later() -> None:
    """Let pyarrow do without pandas until it is imported, in this process; harmless when repeated.

    Where pyarrow has looked already, nothing changes. Other threads may import what they like meanwhile.
    """
    if "pandas" in sys.modules or any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    finder = _Finder(hidden_from=get_ident())
    sys.meta_path.insert(0, finder)  # to stay: whoever walks this list now must not miss a finder
    try:
        pa.scalar(0)
    finally:
        finder.hidden_from = None


@dataclass(eq=False, slots=True)
class _Finder(MetaPathFinder):
    """Hides pandas from one thread; later finds it as the others do, to tell pyarrow when it has been imported."""

    hidden_from: int | None

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "pandas":
            return None
        if self.hidden_from == get_ident():
            raise ModuleNotFoundError(fullname)
        for finder in sys.meta_path:
            if finder is not self and (spec := finder.find_spec(fullname, path, target)) is not None:
                if spec.loader is not None:
                    spec.loader = _Loader(spec.loader)
                return spec
        return None


class _Loader(Loader):
    """The loader of pandas, and a word to pyarrow afterwards."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        pa.lib._pandas_api.version  # noqa: B018, SLF001 - asking is what makes it look again
