"""The data limit, in a process of its own: what is beyond it fails at its line, and only within the block."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other kernels do not count so")

SCRIPT = """
import resource
from brim.io.workers.data_limit import DataLimit

MIB = 1 << 20
limit = DataLimit.beyond_now(300 * MIB)
limit.apply()
before = resource.getrlimit(resource.RLIMIT_DATA)
with limit.lowered(50 * MIB):
    kept = bytearray(30 * MIB)
    for size in (40, 100, 1000):
        try:
            bytearray(size * MIB)
        except MemoryError:
            print("refused", size)
with limit.lowered(1000 * MIB):
    assert resource.getrlimit(resource.RLIMIT_DATA) == before, "no further than the limit"
assert resource.getrlimit(resource.RLIMIT_DATA) == before
more = bytearray(200 * MIB)
print("held", (len(kept) + len(more)) // MIB)
"""


def test_what_is_beyond_the_limit_is_refused_within_the_block():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert (done.stdout.split("\n"), done.stderr) == (["refused 40", "refused 100", "refused 1000", "held 230", ""], "")
