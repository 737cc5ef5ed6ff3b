"""Crops: seeded, of several sizes, and from photographs that say whose they are."""

import io
from importlib.resources import files

import numpy as np
from PIL import Image

from brim.demo.crops import NAMES, SIZES, crop, crops


def test_a_seed_and_a_number_are_always_the_same_picture():
    first, again = list(crops(6, seed=7)), list(crops(6, seed=7))
    assert first == again
    assert [name for name, _ in first] == [f"{number:03}.jpg" for number in range(6)]
    assert crop(0, seed=8) != first[0][1]


def test_crops_differ_and_are_photographs_of_the_sizes():
    made = [Image.open(io.BytesIO(data)) for _, data in crops(24, seed=1)]
    assert {image.format for image in made} == {"JPEG"}
    assert {image.size for image in made} == set(SIZES)
    assert {image.mode for image in made} == {"L", "RGB"}
    assert all(np.asarray(image).std() > 5 for image in made)


def test_every_photograph_is_small_and_has_its_licence():
    folder = files("brim.demo") / "photographs"
    names = {file.name for file in folder.iterdir()}
    assert names == {"LICENSES.md", *(f"{name}.jpg" for name in NAMES)}
    licences = (folder / "LICENSES.md").read_text()
    for name in NAMES:
        (line,) = [line for line in licences.splitlines() if line.startswith(f"| `{name}.jpg`")]
        assert "CC0" in line or "public domain" in line
    assert sum(len((folder / f"{name}.jpg").read_bytes()) for name in NAMES) < 1_500_000
