"""Start a worker process anew, or the template that workers are forked from: nothing secret in its arguments.

It inherits the environment, with defaults that keep memory and threads small; what the user has set stays.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping

import pyarrow as pa

from brim.errors import PlanError
from brim.io.workers.devices import visible
from brim.sizes import MIB

DEFAULTS = {
    # of Arrow's allocators the fastest that gives pages back: after calls that inflate a worker keeps 61 MiB with it,
    # 70 with mimalloc, 52 with the system's, which takes 1.6 times as long
    "ARROW_DEFAULT_MEMORY_POOL": "jemalloc" if "jemalloc" in pa.supported_memory_backends() else "system",
    "MALLOC_ARENA_MAX": "2",
    # what each call frees the next takes again; pages that go back between are faulted in anew. 1 M rows of 1 KiB as
    # Python bytes took 0.27 s of 0.36 for that, rows of 256 KiB nine tenths; after a call `worker_main` trims the rest
    "MALLOC_TRIM_THRESHOLD_": str(8 * MIB),
    "MALLOC_MMAP_THRESHOLD_": str(4 * MIB),
    "MKL_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
DEVICES = "CUDA_VISIBLE_DEVICES"
_BOOT = "import sys; sys.path[:] = sys.argv[3:]; from brim.io.workers.{0} import main; main(*sys.argv[1:3])"


def environment(inherited: Mapping[str, str], devices: tuple[int, ...]) -> dict[str, str]:
    """The environment of a worker that sees `devices`."""
    pinned = {DEVICES: visible(devices, inherited.get(DEVICES))} if devices else {}
    return DEFAULTS | dict(inherited) | pinned


def environment_now(devices: tuple[int, ...]) -> dict[str, str]:
    """That of a worker that is started now."""
    return environment(os.environ, devices)


def spawn(channel: socket.socket, output: int, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """A new worker process at this end of its channel, which the caller closes; it prints to `output`."""
    return execute("worker_main", channel, output, env)


def execute(program: str, channel: socket.socket, output: int, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Our own interpreter with a `program` of this package, one end of a socket pair and no other descriptor.

    It leads a process group of its own, so that a Ctrl-C meant for the engine does not reach it and it can be ended
    with its children.
    The kernel ends it when the calling thread ends (see `worker_main`): call it from the loop's thread.
    """
    if not sys.executable:
        raise PlanError('there is no sys.executable to start workers with: use backend="thread"')
    boot = _BOOT.format(program)
    return subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-P", "-u", "-c", boot, str(channel.fileno()), str(os.getpid()), *sys.path],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        pass_fds=[channel.fileno()],
        env=env,
        start_new_session=True,
    )
