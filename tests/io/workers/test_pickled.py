"""A function as bytes: equal for equal functions, by its address where there is one, and loaded where it has none."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import threading
from dataclasses import replace
from operator import neg

import cloudpickle
import pyarrow as pa
import pytest

from brim.errors import PlanError
from brim.io.workers.pickled import pickled
from brim.operators.user_functions.user_function import UserFunction

CALL = """
import sys, cloudpickle
function = cloudpickle.loads(sys.stdin.buffer.read())
print(function.build()(*map(int, sys.argv[1:])), function.name)
"""
MODULE = """
import functools
FACTOR = {factor}

def times(value):
    return FACTOR * value

class Times:
    def __call__(self, value):
        return times(value)

def doubled(function):
    return functools.wraps(function)(lambda *values: 2 * function(*values))

@doubled
def twice(value):
    return times(value)
"""


def declared(function, **options):
    return UserFunction(name="f", function=function, kind="row", return_type=pa.int64(), **options)


def called(data, *arguments):
    """What a process that has never seen the tests makes of the function."""
    command = [sys.executable, "-c", CALL, *map(str, arguments)]
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.split()[0].decode()


def module_of(tmp_path, name, factor=3):
    """A module that was loaded by its path, as a test or a notebook's helper is: workers cannot import it."""
    path = tmp_path / f"{name}.py"
    path.write_text(MODULE.format(factor=factor))
    spec = importlib.util.spec_from_file_location(name, path)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def module(tmp_path):
    yield module_of(tmp_path, "loaded_by_path")
    del sys.modules["loaded_by_path"]


def test_an_importable_function_is_its_address():
    data = pickled(declared(neg))
    assert len(data) < 2_000
    assert b"neg" in data
    assert called(data, 4) == "-4"


@pytest.mark.parametrize(("name", "expected"), [("times", "12"), ("Times", "12"), ("twice", "24")])
def test_what_was_loaded_by_its_path_goes_with_all_it_refers_to(module, name, expected):
    before = set(cloudpickle.list_registry_pickle_by_value())
    function = declared(getattr(module, name))
    assert called(pickled(function), 4) == expected
    assert set(cloudpickle.list_registry_pickle_by_value()) == before, "the module is as it was for others"


def test_a_module_that_is_sent_by_value_already_stays_so(module):
    cloudpickle.register_pickle_by_value(module)
    try:
        assert called(pickled(declared(module.times)), 4) == "12"
        assert module.__name__ in cloudpickle.list_registry_pickle_by_value()
    finally:
        cloudpickle.unregister_pickle_by_value(module)


def test_the_same_function_is_the_same_bytes_and_another_declaration_is_not():
    def local(value):
        return value + 1

    for function in (neg, local, lambda value: value):
        one = declared(function, batch_size=7)
        assert pickled(one) == pickled(declared(function, batch_size=7))
        assert pickled(one) != pickled(replace(one, batch_size=8))


def test_what_a_closure_holds_is_part_of_it():
    made = [pickled(declared(lambda value, added=added: value + added)) for added in (1, 2)]
    assert [called(data, 4) for data in made] == ["5", "6"]


def test_what_cannot_be_sent_is_said_with_what_to_do_and_leaves_no_trace(module):
    module.LOCK = threading.Lock()
    exec("def locked(value):\n    with LOCK:\n        return value", module.__dict__)
    before = set(cloudpickle.list_registry_pickle_by_value())
    with pytest.raises(PlanError, match=r'f cannot be sent to a worker process: .*lock.*backend="thread"'):
        pickled(declared(module.locked))
    assert set(cloudpickle.list_registry_pickle_by_value()) == before
