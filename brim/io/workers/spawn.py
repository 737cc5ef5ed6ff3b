"""Start a worker process: executed anew, never forked, at one end of a socket pair, nothing secret in its arguments.

It inherits the environment, with defaults that keep memory and threads small; what the user has set stays.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence

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
_BOOT = "import sys; sys.path[:] = sys.argv[3:]; from brim.io.workers.worker_main import main; main(*sys.argv[1:3])"


def environment(inherited: Mapping[str, str], devices: tuple[int, ...]) -> dict[str, str]:
    """The environment of a worker that sees `devices`."""
    pinned = {"CUDA_VISIBLE_DEVICES": visible(devices, inherited.get("CUDA_VISIBLE_DEVICES"))} if devices else {}
    return DEFAULTS | dict(inherited) | pinned


def spawn(devices: tuple[int, ...] = ()) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """A new worker process and the engine's end of its channel.

    Its output arrives at `stdout`, errors included. It leads a process group of its own, so that a Ctrl-C meant for
    the engine does not reach it and it can be ended with its children.
    The kernel ends it when the calling thread ends (see `worker_main`): call it from the loop's thread.
    """
    if not sys.executable:
        raise PlanError('there is no sys.executable to start workers with: use backend="thread"')
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with theirs:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter
                _command(theirs.fileno(), sys.path),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                pass_fds=[theirs.fileno()],
                env=environment(os.environ, devices),
                start_new_session=True,
            )
    except BaseException:
        ours.close()
        raise
    return process, ours


def _command(descriptor: int, path: Sequence[str]) -> list[str]:
    return [sys.executable, "-P", "-u", "-c", _BOOT, str(descriptor), str(os.getpid()), *path]
