"""Image steps: their types, their names, and what scaling does to them."""

import pickle

import pyarrow as pa
import pytest

from brim.errors import PlanError, SchemaMismatch
from brim.operators.images.steps import (
    ANY_TENSOR,
    IMAGE,
    Crop,
    Decode,
    Encode,
    Height,
    ImageSteps,
    Resize,
    ToTensor,
    Width,
    scaled,
    tensor,
)

BINARY = pa.binary()


def returns(*steps, of=BINARY):
    return ImageSteps(steps).returns((of,))


@pytest.mark.parametrize("file_type", [pa.binary(), pa.large_binary()])
def test_a_decode_makes_structs_and_a_resize_makes_tensors(file_type):
    assert returns(Decode(), of=file_type) == IMAGE
    assert returns(Decode(), Resize(4, 3), of=file_type) == tensor(4, 3, "RGB")
    assert returns(Decode("L"), Resize(4, 3), of=file_type) == tensor(4, 3, "L")
    assert returns(Decode("RGBA"), Crop((0, 0, 9, 9)), Resize(4, 3)) == tensor(4, 3, "RGBA")


def test_a_tensor_keeps_its_mode_and_its_size_is_known_after_a_crop():
    assert returns(Resize(5, 6), of=tensor(4, 3, "LA")) == tensor(5, 6, "LA")
    assert returns(Crop((1, 1, 99, 1)), of=tensor(4, 3, "L")) == tensor(3, 1, "L")
    assert returns(Crop((1, 1, 2, 2)), of=IMAGE) == IMAGE
    with pytest.raises(PlanError, match="outside"):
        returns(Crop((4, 0, 1, 1)), of=tensor(4, 3, "L"))


def test_files_numbers_and_tensors_come_of_images():
    assert returns(Decode(), Encode("png")) == pa.large_binary()
    assert returns(Decode(), Width()) == returns(Height(), of=IMAGE) == pa.int32()
    assert returns(Decode(), ToTensor()) == ANY_TENSOR
    assert returns(Decode(), Resize(2, 2), ToTensor()) == tensor(2, 2, "RGB")
    assert returns(Decode(), Encode("png"), Decode(), Resize(2, 2)) == tensor(2, 2, "RGB")


@pytest.mark.parametrize(
    ("steps", "of", "message"),
    [
        ((Decode(),), pa.string(), "image.decode: expected binary"),
        ((Decode(), Decode()), pa.binary(), "image.decode: expected binary"),
        ((Resize(2, 2),), pa.binary(), "image.resize: expected images"),
        ((Decode(), Width(), Resize(2, 2)), pa.binary(), "image.resize: expected images"),
        ((ToTensor(),), pa.int64(), "image.to_tensor: expected images"),
        ((Width(),), pa.fixed_shape_tensor(pa.float32(), [2, 2, 3]), "image.width: expected images"),
        ((Width(),), pa.fixed_shape_tensor(pa.uint8(), [2, 2]), "image.width: expected images"),
        ((Width(),), pa.fixed_shape_tensor(pa.uint8(), [2, 2, 5]), "image.width: expected images"),
    ],
)
def test_a_step_that_cannot_take_what_it_gets_says_so(steps, of, message):
    with pytest.raises(SchemaMismatch, match=message):
        returns(*steps, of=of)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Decode("CMYK"),
        lambda: Decode(on_error="drop"),
        lambda: Resize(0, 4),
        lambda: Resize(100_000, 100_000),
        lambda: Crop((0, 0, 0, 4)),
        lambda: Crop((-1, 0, 4, 4)),
        lambda: Encode("exe"),
        lambda: Encode("png", quality=50),
        lambda: Encode("jpeg", quality=101),
    ],
)
def test_what_cannot_be_made_is_refused_when_declared(make):
    with pytest.raises(PlanError):
        make()


def test_a_decode_is_scaled_only_when_a_resize_is_what_follows():
    thumb = ImageSteps((Decode(), Resize(4, 3), Crop((0, 0, 2, 2))))
    assert scaled(thumb).steps[0] == Decode(scale_to=(4, 3))
    assert scaled(thumb).steps[1:] == thumb.steps[1:]
    for other in ((Decode(), Crop((0, 0, 2, 2)), Resize(4, 3)), (Decode(),), (Resize(4, 3),)):
        assert scaled(ImageSteps(other)) == ImageSteps(other)


def test_steps_pickle_grow_and_have_a_name():
    steps = ImageSteps((Decode("L", "null"),)).then(Resize(4, 3)).then(ToTensor())
    assert pickle.loads(pickle.dumps(steps)) == steps
    assert steps.name == "image.decode.resize.to_tensor"
    assert steps.to_null
    assert not ImageSteps((Decode(),)).to_null
