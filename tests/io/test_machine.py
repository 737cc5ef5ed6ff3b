"""What is known of the machine, measured against what was really allocated."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil
import pytest

from brim.io import machine
from brim.pipeline.given_limits import limits_of


def test_auto_is_four_fifths_of_what_is_free():
    assert machine.free_memory() == pytest.approx(0.8 * psutil.virtual_memory().available, rel=0.1)
    assert limits_of(memory="auto").memory == pytest.approx(machine.free_memory(), rel=0.1)


def test_a_percentage_is_of_what_is_free():
    assert limits_of(memory="50%").memory == pytest.approx(0.5 * psutil.virtual_memory().available, rel=0.1)


def test_cores_are_those_this_process_may_use():
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); from brim.io.machine import cores; print(cores())"
    assert 1 <= machine.cores() <= os.cpu_count()
    if hasattr(os, "sched_setaffinity"):
        assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"1\n"
