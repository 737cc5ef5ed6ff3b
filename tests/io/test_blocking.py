"""What a call in a thread waits for reaches whoever made the call, and nobody else."""

from __future__ import annotations

from contextlib import contextmanager

import anyio
import anyio.to_thread
import pytest

from brim.events import Resource
from brim.io.blocking import blocked_on, heard


class Told:
    def __init__(self):
        self.said = []

    @contextmanager
    def __call__(self, resource):
        self.said.append(("begin", str(resource)))
        try:
            yield
        finally:
            self.said.append(("end", str(resource)))


def _wait(resource, fails=False):
    with blocked_on(resource):
        if fails:
            raise OSError("no")
    return "done"


def test_a_wait_is_told_while_it_lasts_also_when_it_fails():
    told = Told()
    assert heard(told, _wait, Resource.DISK) == "done"
    with pytest.raises(OSError, match="no"):
        heard(told, _wait, Resource.NETWORK, True)
    assert told.said == [("begin", "disk"), ("end", "disk"), ("begin", "network"), ("end", "network")]


def test_outside_of_a_call_it_is_told_to_nobody():
    told = Told()
    heard(told, lambda: None)
    assert _wait(Resource.DISK) == "done"
    assert told.said == []


def test_calls_in_threads_at_once_are_told_apart():
    first, second = Told(), Told()

    async def main():
        async with anyio.create_task_group() as tasks:
            for told, resource in ((first, Resource.DISK), (second, Resource.NETWORK)):
                tasks.start_soon(anyio.to_thread.run_sync, heard, told, _wait, resource)

    anyio.run(main)
    assert first.said == [("begin", "disk"), ("end", "disk")]
    assert second.said == [("begin", "network"), ("end", "network")]


def test_a_generator_that_is_drawn_from_by_several_calls_tells_each():
    def items():
        for resource in (Resource.DISK, Resource.NETWORK):
            with blocked_on(resource):
                pass
            yield resource

    drawn, first, second = items(), Told(), Told()
    heard(first, next, drawn)
    heard(second, next, drawn)
    assert (first.said[0], second.said[0]) == (("begin", "disk"), ("begin", "network"))
