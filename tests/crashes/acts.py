"""What a user function may do to its worker. Workers import this file by its name, so it loads little.

array_of, row_of, batch_of    functions that make `10 * id`, and do one of `ACTS` where the row `BAD` is
array_made, row_made          functions that return one of `RESULTS` instead where it is
"""

from __future__ import annotations

import atexit
import ctypes
import locale
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

import pyarrow as pa
import pyarrow.compute as pc

BAD = 1
LAST_WORDS = "the last words"
FLOOD_BYTES = 64 << 20


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError("no text")


class Unpicklable(Exception):
    def __init__(self):
        super().__init__("has a lock")
        self.lock = threading.Lock()

    def __reduce__(self):
        raise TypeError("cannot be pickled")


class OfItsOwn(BaseException):
    """Caught by nobody who catches `Exception`."""


class Sneaky(Exception):
    """Claims to be another class, and has a repr and arguments that raise."""

    def __repr__(self):
        raise SystemExit(5)

    __str__ = __repr__

    @property
    def args(self):
        raise KeyboardInterrupt


def _raise(error: Callable[[], BaseException]) -> Callable[[], NoReturn]:
    def act() -> NoReturn:
        raise error()

    return act


def _signal_self(number: int) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


def _recurse() -> Any:
    return _recurse()


def overflow_the_c_stack() -> None:
    """Call back from C to Python without end, on a stack of 1 MiB."""
    resource.setrlimit(resource.RLIMIT_STACK, (1 << 20, resource.getrlimit(resource.RLIMIT_STACK)[1]))
    sys.setrecursionlimit(1 << 30)
    callback = ctypes.CFUNCTYPE(None)(lambda: callback())  # noqa: PLW0108 - it is not there yet
    callback()


def spin() -> None:
    while True:
        pass


def hang_in_c() -> None:
    ctypes.PyDLL(None).sleep(600)  # keeps the interpreter's lock: no handler of Python's runs


def hang_in_a_regex() -> None:
    re.match(r"(a+)+$", "a" * 64 + "b")


def hang_and_refuse_to_end() -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while True:
        time.sleep(600)


def close_standard_streams() -> None:
    for descriptor in range(3):
        with suppress(OSError):
            os.close(descriptor)


def flood() -> None:
    """Print 64 MiB, half of it as errors, past Python's own buffers."""
    block = b"x" * (1 << 20)
    for n in range(FLOOD_BYTES >> 20):
        os.write(1 + n % 2, block)


def die_talking() -> None:
    flood()
    os.write(2, LAST_WORDS.encode())
    os._exit(3)


def leave_a_child() -> None:
    """Fork a child that holds every descriptor of its parent and ignores what it can."""
    if os.fork() == 0:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        time.sleep(600)
        os._exit(0)


def leave_a_child_and_die() -> None:
    leave_a_child()
    os._exit(3)


def leave_grandchildren_and_die() -> None:
    subprocess.Popen(["sh", "-c", "sleep 600 & sleep 600 & wait"], close_fds=False)
    os._exit(3)


def change_session_and_die() -> None:
    """Leave the group the engine knows, as far as the kernel lets us."""
    with suppress(OSError):
        os.setsid()
    with suppress(OSError):
        os.setpgid(0, 0)
    os._exit(3)


def unload_brim() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in ("brim", "orjson", "pyarrow")]:
        del sys.modules[name]


def unload_brim_and_raise() -> None:
    unload_brim()
    raise ValueError("no ones here")


def break_the_standard_library() -> None:
    """What tests of users do with monkeypatching, and forget."""
    time.perf_counter = time.monotonic = lambda: 0.0
    os.close = lambda fd: None


def change_surroundings() -> None:
    os.chdir("/")
    os.environ.clear()
    os.umask(0o777)
    os.nice(5)
    sys.path.clear()
    locale.setlocale(locale.LC_ALL, "C")
    sys.setrecursionlimit(100)
    sys.stdout = sys.stderr = None
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE, signal.SIGALRM, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)


def leave_threads() -> None:
    for daemon in (False, True):
        threading.Thread(target=time.sleep, args=(600,), daemon=daemon).start()


def hang_at_exit() -> None:
    atexit.register(time.sleep, 600)


ACTS: dict[str, Callable[[], Any]] = {
    "raise": _raise(lambda: ValueError("no ones here")),
    "raise unprintable": _raise(Unprintable),
    "raise unpicklable": _raise(Unpicklable),
    "raise sneaky": _raise(Sneaky),
    "raise keyboard interrupt": _raise(KeyboardInterrupt),
    "raise generator exit": _raise(GeneratorExit),
    "raise stop iteration": _raise(StopIteration),
    "raise a base exception": _raise(lambda: OfItsOwn("not caught")),
    "raise a broken pipe": _raise(lambda: BrokenPipeError("of the user's own")),
    "raise a timeout": _raise(lambda: TimeoutError("of the user's own")),
    "raise memory error": _raise(MemoryError),
    "ask python for a pebibyte": lambda: bytearray(1 << 50),
    "ask arrow for a pebibyte": lambda: pa.allocate_buffer(1 << 50),
    "recurse": _recurse,
    "sys.exit": lambda: sys.exit(3),
    "exit": lambda: exit("gone"),  # noqa: PLR1722 - the name people use
    "_exit 0": lambda: os._exit(0),
    "_exit 1": lambda: os._exit(1),
    "_exit 137": lambda: os._exit(137),
    "segfault": lambda: ctypes.string_at(0),
    "abort": os.abort,
    "SIGKILL": _signal_self(signal.SIGKILL),
    "SIGTERM": _signal_self(signal.SIGTERM),
    "SIGHUP": _signal_self(signal.SIGHUP),
    "SIGSTOP": _signal_self(signal.SIGSTOP),
    "overflow the C stack": overflow_the_c_stack,
    "close all descriptors": lambda: os.closerange(3, 4096),
    "die talking": die_talking,
    "leave a child and die": leave_a_child_and_die,
    "leave grandchildren and die": leave_grandchildren_and_die,
    "change session and die": change_session_and_die,
    "sleep": lambda: time.sleep(600),
    "spin": spin,
    "hang in C": hang_in_c,
    "hang in a regex": hang_in_a_regex,
    "hang and refuse to end": hang_and_refuse_to_end,
    "close standard streams": close_standard_streams,
    "flood": flood,
    "leave a child": leave_a_child,
    "leave threads": leave_threads,
    "hang at exit": hang_at_exit,
    "change surroundings": change_surroundings,
    "unload brim": unload_brim,
    "unload brim and raise": unload_brim_and_raise,
    "break the standard library": break_the_standard_library,
    "nothing": lambda: None,
}


def invalid_strings(rows: int) -> pa.Array:
    """Text that is no text."""
    offsets = pa.array([0, 2] + [2] * (rows - 1), pa.int32()).buffers()[1]
    return pa.StringArray.from_buffers(rows, offsets, pa.py_buffer(b"\xff\xfe"))


RESULTS: dict[str, Callable[[pa.Array], Any]] = {
    "too short": lambda made: made[:-1],
    "too long": lambda made: pa.concat_arrays([made, made]),
    "another type": lambda made: made.cast(pa.string()),
    "a fraction": lambda made: pa.array([0.5] * len(made)),
    "none": lambda made: None,
    "a generator": lambda made: (object() for _ in made),
    "an object": lambda made: object(),
    "the class": lambda made: pa.Array,
    "invalid": lambda made: invalid_strings(len(made)),
    "not there": lambda made: pa.Array.from_buffers(pa.int64(), len(made), [None, pa.foreign_buffer(8, 8 * len(made))]),
    "null": lambda made: pa.nulls(len(made), pa.int64()),
}


def array_of(act: str, ids: pa.Array) -> pa.Array:
    if BAD in ids.to_pylist():
        ACTS[act]()
    return pc.multiply(ids, 10)


def row_of(act: str, number: int) -> int:
    if number == BAD:
        ACTS[act]()
    return 10 * number


def batch_of(act: str, batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch.append_column("made", array_of(act, batch["id"]))


def array_made(result: str, ids: pa.Array) -> Any:
    made = pc.multiply(ids, 10)
    return RESULTS[result](made) if BAD in ids.to_pylist() else made


def row_made(result: Any, number: int) -> Any:
    return result if number == BAD else 10 * number


def pieces_of(act: str, batch: pa.RecordBatch) -> Any:
    """Each row a piece."""
    for row in range(batch.num_rows):
        yield batch_of(act, batch.slice(row, 1))


class Doomed:
    """Its constructor does one of `ACTS`."""

    def __init__(self, act: str) -> None:
        ACTS[act]()

    def __call__(self, ids: pa.Array) -> pa.Array:
        return pc.multiply(ids, 10)


class BuiltOnce:
    """Can be built once, and its worker dies of the row `BAD`; `how` is what a second constructor does."""

    def __init__(self, mark: str, how: str) -> None:
        if os.path.exists(mark):  # noqa: PTH110 - loads little
            ACTS[how]()
        with open(mark, "w"):  # noqa: PTH123
            pass

    def __call__(self, ids: pa.Array) -> pa.Array:
        return array_of("_exit 1", ids)
