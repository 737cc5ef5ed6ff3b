"""An event loop of brim's own, in a thread: where the blocking twins run.

anyio's own helper keeps the program alive until its block is left, so a program that ends in the middle of a stream (a
half-read generator at the end of a script) would never end. Here the loop looks whether the main thread still lives,
and cancels what it runs when it does not.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from importlib.util import find_spec

import anyio
from anyio.from_thread import BlockingPortal

LOOK_S = 0.5


@contextmanager
def own_loop() -> Iterator[BlockingPortal]:
    """A portal into a new loop, on uvloop where it is installed. An error in the block cancels what runs there."""
    opened: Future[BlockingPortal] = Future()
    options = {"use_uvloop": find_spec("uvloop") is not None}
    thread = threading.Thread(target=_run, args=(opened, options), name="brim loop")
    thread.start()
    portal = opened.result()
    try:
        yield portal
    except BaseException:
        portal.call(portal.stop, True)
        raise
    else:
        portal.call(portal.stop, False)
    finally:
        thread.join()


def _run(opened: Future[BlockingPortal], options: dict[str, bool]) -> None:
    async def live() -> None:
        async with BlockingPortal() as portal, anyio.create_task_group() as tasks:
            tasks.start_soon(_stop_after_main, portal)
            opened.set_result(portal)
            await portal.sleep_until_stopped()
            tasks.cancel_scope.cancel()

    try:
        anyio.run(live, backend_options=options)
    except BaseException as error:
        if opened.done():
            raise
        opened.set_exception(error)


async def _stop_after_main(portal: BlockingPortal) -> None:
    while threading.main_thread().is_alive():  # noqa: ASYNC110 - a thread's end rings no event
        await anyio.sleep(LOOK_S)
    await portal.stop(cancel_remaining=True)
