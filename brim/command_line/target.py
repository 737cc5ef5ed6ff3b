"""Target: the pipeline that `module:name` means."""

from __future__ import annotations

import importlib
import inspect
import sys
import sysconfig
import traceback
from operator import attrgetter
from pathlib import Path

from brim import Pipeline


class Unusable(Exception):
    """The words given mean no pipeline; the text says why."""


def pipeline_at(target: str) -> Pipeline:
    """The pipeline called `target`, as in ``jobs:daily`` or ``package.jobs:make``.

    The module is imported, the current folder first; a function is called without arguments and returns the pipeline.
    What the module itself raises passes through.
    """
    module, colon, name = target.partition(":")
    if not (colon and module and name):
        raise Unusable(f"{target!r} names no pipeline: write module:name, as in jobs:daily")
    sys.path.insert(0, str(Path.cwd()))
    try:
        found = attrgetter(name)(_module(module))
    except AttributeError as error:
        raise Unusable(f"{module} has nothing called {name!r}") from error
    made = found if isinstance(found, Pipeline) or not callable(found) else _called(found, target)
    if not isinstance(made, Pipeline):
        raise Unusable(f"{target} is no pipeline, and no function that returns one, but {type(made).__name__}")
    return made


def declared_at(error: BaseException) -> str:
    """The line of the user's that `error` went through last, as ``jobs.py:12``; empty where there is none."""
    paths = sysconfig.get_paths()
    others = (
        str(Path(__file__).parents[1]),
        *(paths[name] for name in ("stdlib", "purelib", "platlib", "scripts")),
        "<",
    )
    theirs = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(others) and Path(frame.filename).is_file()
    ]
    return f"{Path(theirs[-1].filename).name}:{theirs[-1].lineno}" if theirs else ""


def _module(name: str) -> object:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # a module that the module itself imports
        raise Unusable(f"no module called {name!r} in {Path.cwd()} or among what is installed") from error


def _called(function: object, target: str) -> object:
    assert callable(function)
    required = [
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if required:
        raise Unusable(f"{target} is called without arguments, and takes {', '.join(required)}")
    return function()
