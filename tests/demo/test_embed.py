"""The demo's vectors: of length one, near for pictures that look alike, made by a function that workers can import."""

import io

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from brim.demo.crops import NAMES, crop
from brim.demo.embed import LENGTH, embed, vector
from brim.operators.user_functions.reference import reference_to


def pixels(number, seed=7):
    return np.asarray(Image.open(io.BytesIO(crop(number, seed))).convert("RGB").resize((224, 224)))


def test_a_thumbnail_becomes_a_vector_of_length_one():
    thumbs = pa.FixedShapeTensorArray.from_numpy_ndarray(np.stack([pixels(number) for number in range(4)]))
    vectors = embed(thumbs)
    assert vectors.type == pa.list_(pa.float32(), LENGTH)
    assert [np.linalg.norm(row) for row in vectors.to_pylist()] == pytest.approx([1] * 4)
    assert vectors[2].as_py() == pytest.approx(vector(pixels(2)).tolist())


def test_crops_of_a_photograph_are_nearer_to_each_other_than_to_other_photographs():
    count = len(NAMES)
    first = np.stack([vector(pixels(number)) for number in range(count)])
    again = np.stack([vector(pixels(number + count, seed=8)) for number in range(count)])
    assert (first @ again.T).argmax(axis=1).tolist() == list(range(count))


@pytest.mark.parametrize("shade", [0, 128, 255])
def test_a_picture_of_one_colour_has_a_vector_too(shade):
    found = vector(np.full((8, 8, 3), shade, np.uint8))
    assert np.isfinite(found).all()
    assert np.linalg.norm(found) == pytest.approx(1)


def test_workers_import_it_by_name():
    assert reference_to(embed.__wrapped__).module == "brim.demo.embed"
