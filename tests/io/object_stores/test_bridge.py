"""The bridge for threads: what fails in its block comes out alone."""

from __future__ import annotations

import anyio
import pytest

from brim.io.object_stores.bridge import open_bridge


def test_an_error_of_the_block_comes_out_with_a_note_of_what_failed_beside_it():
    async def beside():
        try:
            await anyio.sleep_forever()
        finally:
            raise KeyError("beside")

    async def main():
        async with open_bridge() as bridge:
            bridge.tasks.start_soon(beside)
            await anyio.wait_all_tasks_blocked()
            raise ValueError("the block")

    with pytest.raises(ValueError, match="the block") as caught:
        anyio.run(main)
    assert caught.value.__notes__ == ["also: KeyError('beside')"]
