"""How many workers one row among n may cost that kills each of them: at most 2 log2(n) + 3."""

import math
import os
from functools import partial
from pathlib import Path
from random import Random

import pyarrow as pa
import pytest
from crashes.scene import scene_in

import brim
from brim import col


def die(folder):
    (Path(folder) / str(os.getpid())).touch()
    os._exit(9)


def dies_of(folder, bad, ids):
    return die(folder) if bad in ids.to_pylist() else ids


def row_dies_of(folder, bad, number):
    return die(folder) if number == bad else number


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    with scene_in(tmp_path_factory.mktemp("deaths"), processes=1) as made:
        yield made


def places(rows):
    return sorted({0, rows // 2, rows - 1, Random(rows).randrange(rows)})


CASES = [
    *((rows, bad) for rows in (1, 2, 7) for bad in places(rows)),
    *((64, bad) for bad in (32, 63)),
    (1000, 713),
    *(pytest.param(rows, bad, marks=pytest.mark.soak) for rows in (64, 1000) for bad in places(rows)),
]


@pytest.mark.parametrize(("rows", "bad"), CASES)
def test_a_row_that_kills_costs_few_workers_and_no_neighbour(scene, tmp_path, rows, bad):
    if bad % 2:
        made = brim.udf(partial(dies_of, str(tmp_path), bad), returns=pa.int64(), on_error="null")
    else:
        made = brim.row_udf(partial(row_dies_of, str(tmp_path), bad), returns=pa.int64(), on_error="null")
    outcome = scene.run(brim.range(rows).with_columns(made=made(col("id"))))
    assert outcome.rows == tuple((n, None if n == bad else n) for n in range(rows))
    assert outcome.errors == 1
    deaths = len(list(tmp_path.iterdir()))
    assert 3 <= deaths <= 2 * math.log2(rows) + 3
