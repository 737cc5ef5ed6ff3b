"""Photo server: start the server of photographs in another process, and end it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from brim.demo.server import photo_urls

_END_S = 10.0


@dataclass(frozen=True, slots=True)
class PhotoServer:
    """A server that runs: its URL, how many photographs it has, and their bytes."""

    url: str
    count: int
    bytes: int

    @property
    def urls(self) -> list[str]:
        """The addresses of all photographs."""
        return list(photo_urls(self.url, self.count))


@contextmanager
def photo_server(count: int, seed: int) -> Iterator[PhotoServer]:
    """A server of `count` photographs for as long as the block runs; blocking, some seconds for hundreds of them.

    Raises:
        RuntimeError: the server could not start; its own words are on standard error.
    """
    command = [sys.executable, "-m", "brim.demo.server", "--count", str(count), "--seed", str(seed)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # noqa: S603 - our own
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            if not line:
                raise RuntimeError(f"the server of photographs ended with {process.wait()} before it could be asked")
            yield PhotoServer(**json.loads(line))
        finally:
            process.stdin.close()
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
