"""A user function as bytes for our own workers: by its address where it can be imported, else by value."""

from __future__ import annotations

import inspect
import sys
from contextlib import ExitStack
from types import ModuleType

import cloudpickle

from brim.errors import PlanError
from brim.operators.user_functions.reference import is_importable
from brim.operators.user_functions.user_function import UserFunction


def pickled(function: UserFunction) -> bytes:
    """What a worker builds `function` of; equal for functions that are the same. Raises `PlanError` where it cannot."""
    try:
        with ExitStack() as stack:
            if (module := _local_module(function)) is not None:
                cloudpickle.register_pickle_by_value(module)
                stack.callback(cloudpickle.unregister_pickle_by_value, module)
            data: bytes = cloudpickle.dumps(function)
            return data
    except Exception as error:
        raise PlanError(
            f"{function.name} cannot be sent to a worker process: {error}; "
            'make what it refers to inside the function (or in the __init__ of a class), or use backend="thread"'
        ) from error


def _local_module(function: UserFunction) -> ModuleType | None:
    """The function's module if workers cannot import it, such as a test that was loaded by its path."""
    module = sys.modules.get(getattr(inspect.unwrap(function.function), "__module__", None) or "")
    if module is None or module.__name__ in ("__main__", *cloudpickle.list_registry_pickle_by_value()):
        return None
    return None if is_importable(module.__name__) else module
