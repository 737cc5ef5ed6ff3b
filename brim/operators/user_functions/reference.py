"""A reference: an importable function or class as its address, so that it crosses to another process by name.

A decorated function is not what its module holds under its name (that is the decorator's object), so pickle would send
it by value, with everything it refers to. The address is followed through `__wrapped__` instead. What cannot be
imported elsewhere (`__main__`, a notebook, a test module loaded by path, a lambda, a closure) has no reference.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import cloudpickle


@dataclass(frozen=True, slots=True)
class Reference:
    """`module:path`, and whether what lies there wraps what is meant."""

    module: str
    path: str
    wrapped: bool

    def resolve(self) -> Callable[..., Any]:
        """Import it. Raises `ImportError` or `AttributeError` where it is not."""
        found = attrgetter(self.path)(importlib.import_module(self.module))
        target: Callable[..., Any] = found.__wrapped__ if self.wrapped else found
        return target


def reference_to(target: Callable[..., Any]) -> Reference | None:
    """The address of `target`, None where another process would not find it.

    >>> reference_to(attrgetter).path, reference_to(lambda: 0)
    ('attrgetter', None)
    """
    module, path = getattr(target, "__module__", None), getattr(target, "__qualname__", None)
    if not module or not path or "<" in path or not is_importable(module):
        return None
    try:
        found = attrgetter(path)(sys.modules[module])
    except AttributeError:
        return None
    if found is target:
        return Reference(module, path, wrapped=False)
    if inspect.getattr_static(found, "__wrapped__", None) is target or getattr(found, "__wrapped__", None) is target:
        return Reference(module, path, wrapped=True)
    return None


def is_importable(module: str) -> bool:
    """Whether importing `module` by name, in a process with the same `sys.path`, gives the same file."""
    loaded = sys.modules.get(module)
    if (
        loaded is None
        or module == "__main__"
        or module.partition(".")[0] in cloudpickle.list_registry_pickle_by_value()
    ):
        return False
    if module in sys.builtin_module_names:
        return True
    folders: Any = None
    spec = None
    names = module.split(".")
    for depth in range(1, len(names) + 1):
        spec = _find(".".join(names[:depth]), folders)
        if spec is None:
            return False
        folders = spec.submodule_search_locations
    same = (getattr(loaded, "__file__", None), "frozen", "built-in")
    return spec is not None and spec.origin in same


def _find(name: str, folders: Any) -> Any:
    """The spec of one module, from the finders themselves: `importlib.util.find_spec` would trust `sys.modules`."""
    found = (finder.find_spec(name, folders) for finder in sys.meta_path if hasattr(finder, "find_spec"))
    return next((spec for spec in found if spec is not None), None)
