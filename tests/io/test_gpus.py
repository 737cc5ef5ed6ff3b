"""GPUs are counted by what the driver leaves in the file system, and CUDA_VISIBLE_DEVICES takes some away."""

from __future__ import annotations

import pytest

from brim.errors import PlanError
from brim.io.gpus import count_gpus, engine_gpus, in_machine


def machine(root, known=0, nodes=0):
    for number in range(known):
        (root / f"proc/driver/nvidia/gpus/0000:{number:02x}:00.0").mkdir(parents=True)
    (root / "dev").mkdir()
    for name in ["nvidiactl", "nvidia-uvm", "nvidia-modeset", "null", *(f"nvidia{n + 3}" for n in range(nodes))]:
        (root / "dev" / name).touch()
    return root


@pytest.mark.parametrize(("known", "nodes", "gpus"), [(0, 0, 0), (4, 4, 4), (4, 0, 4), (0, 2, 2), (8, 1, 1), (1, 8, 1)])
def test_devices_are_those_the_driver_knows_and_there_are_files_for(tmp_path, known, nodes, gpus):
    assert in_machine(machine(tmp_path, known, nodes)) == gpus


def test_a_system_without_such_files_has_none(tmp_path):
    assert in_machine(tmp_path) == 0
    assert count_gpus(tmp_path, "0,1") == 0


@pytest.mark.parametrize(
    ("inherited", "gpus"),
    [
        (None, 4),
        ("", 0),
        ("-1", 0),
        ("1", 1),
        ("3,1", 2),
        ("0,7,1", 1),
        ("GPU-a,GPU-b", 2),
        ("GPU-a,GPU-b,GPU-c,GPU-d,GPU-e", 4),
        ("MIG-a,MIG-b,MIG-c,MIG-d,MIG-e", 5),
    ],
)
def test_an_engine_has_what_its_process_may_see(tmp_path, inherited, gpus):
    assert engine_gpus(None, machine(tmp_path, 4, 4), inherited) == gpus


def test_an_engine_is_told_what_cannot_be_counted_but_no_more_than_may_be_seen(tmp_path):
    assert engine_gpus(2, tmp_path, None) == 2
    assert engine_gpus(1, tmp_path, "4,5") == 1
    with pytest.raises(PlanError, match="gpus=3, but CUDA_VISIBLE_DEVICES='4,5' lets this process see 2"):
        engine_gpus(3, tmp_path, "4,5")
