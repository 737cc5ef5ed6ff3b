import gc
import random
from pathlib import Path

import pyarrow as pa
import pytest

from brim.operators.downloads.body_memory import BodyMemory
from brim.operators.large_pages import LARGE_BYTES
from brim.sizes import MIB


@pytest.mark.parametrize("size", [0, 1, 1000, LARGE_BYTES - 1, LARGE_BYTES, LARGE_BYTES + 4097, 9 * MIB + 1])
def test_what_is_written_is_the_buffer_without_a_copy(size):
    content = random.Random(size).randbytes(size)
    memory = BodyMemory.of(size)
    assert memory.size == size
    memory.view[:] = content
    buffer = memory.finish(size)
    del memory
    gc.collect()
    array = pa.Array.from_buffers(
        pa.large_binary(), 1, [None, pa.py_buffer(size.to_bytes(8, "little").rjust(16, b"\0")), buffer]
    )
    array.validate(full=True)
    assert array[0].as_py() == content


@pytest.mark.parametrize("size", [1000, 4 * MIB])
def test_a_shorter_body_is_a_shorter_buffer(size):
    memory = BodyMemory.of(size)
    memory.view[:10] = b"0123456789"
    assert memory.finish(10).to_pybytes() == b"0123456789"


def _anonymous() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0]) * 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc to read memory from")
def test_only_what_was_written_is_held_and_all_of_it_goes_with_the_last_reference():
    BodyMemory.of(LARGE_BYTES)
    before = _anonymous()
    memory = BodyMemory.of(64 * MIB)
    assert _anonymous() - before < 3 * MIB
    for place in range(0, 32 * MIB, MIB):  # no large temporary, which malloc might keep
        memory.view[place : place + MIB] = bytes(MIB)
    buffer = memory.finish(32 * MIB)
    del memory
    gc.collect()
    assert 30 * MIB < _anonymous() - before < 36 * MIB
    part = buffer.slice(MIB, 10)
    del buffer
    assert _anonymous() - before > 30 * MIB, "a slice keeps all of it"
    del part
    assert _anonymous() - before < 3 * MIB
