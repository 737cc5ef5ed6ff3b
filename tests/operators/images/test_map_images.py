"""MapImages: what comes out for each row, in which pieces, and what becomes of rows that fail."""

import io
import struct
import zlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit import FakeStage, run_operator
from PIL import Image

from brim.errors import CorruptInput, LimitExceeded, RowTooLarge
from brim.operators.images.map_images import MapImages
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
)
from brim.operators.protocol import Foreseen
from brim.operators.transform import Transform
from brim.sizes import held_bytes

BINARY = pa.binary()


def picture(width, height, seed=0, mode="RGB"):
    noise = np.random.default_rng(seed).integers(0, 255, (height // 4 + 1, width // 4 + 1, 3), np.uint8)
    return Image.fromarray(noise).resize((width, height)).convert(mode)


def file_of(image, format_="PNG", **options):
    file = io.BytesIO()
    image.save(file, format_, **options)
    return file.getvalue()


FILES = [
    file_of(picture(31, 17, 1)),
    file_of(picture(8, 40, 2, "L")),
    file_of(picture(20, 20, 3), "JPEG"),
    file_of(picture(9, 9, 4, "RGBA")),
    file_of(picture(1, 1, 5)),
]


def png_header(width, height):
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    sizes = struct.pack(">I", len(chunk) - 4)
    return b"\x89PNG\r\n\x1a\n" + sizes + chunk + struct.pack(">I", zlib.crc32(chunk)) + b"\0\0\0\x01IDAT0"


BAD = [b"", b"<html>", FILES[0][:60]]


def batch_of(files, type_=BINARY):
    body = files if isinstance(files, pa.Array) else pa.array(files, type_)
    return pa.record_batch({"id": pa.array(range(len(files)), pa.int64()), "body": body})


def kernel(*steps, of=BINARY, output="made", column="body", keep=("id", "body")):
    steps = ImageSteps(steps)
    fields = [pa.field("id", pa.int64()), pa.field("body", of)]
    schema = pa.schema([field for field in fields if field.name in keep and field.name != output])
    return MapImages(steps, column, output, schema.append(pa.field(output, steps.returns((of,)))))


def pushed(kernel, batch, piece_bytes=1 << 20):
    pieces = list(kernel.push(batch, piece_bytes))
    assert not list(kernel.finish(piece_bytes))
    for piece in pieces:
        piece.validate(full=True)
    return pa.Table.from_batches(pieces, schema=kernel.schema).combine_chunks()


def column(kernel, batch, piece_bytes=1 << 20):
    return pushed(kernel, batch, piece_bytes).column(kernel.output).to_pylist()


def pixels_of(struct):
    shape = struct["height"], struct["width"], {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}[struct["mode"]]
    return np.frombuffer(struct["data"], np.uint8).reshape(shape).squeeze()


@given(
    st.lists(st.sampled_from([*FILES, *BAD, None]), max_size=12),
    st.integers(0, 12),
    st.integers(1, 5000),
    st.sampled_from([(), (Resize(6, 5),), (Resize(6, 5), ToTensor()), (Encode("png"),), (Width(),), (ToTensor(),)]),
)
@settings(max_examples=60, deadline=None)
def test_rows_are_the_same_however_they_are_cut(files, cut, piece_bytes, steps):
    one = kernel(Decode(on_error="null"), *steps)
    batch = batch_of(files)
    whole = pushed(one, batch)
    parts = [piece for part in (batch[:cut], batch[cut:]) for piece in one.push(part, piece_bytes)]
    assert pa.Table.from_batches(parts, schema=one.schema).equals(whole)
    assert whole.num_rows == len(files)
    for piece in parts:
        assert piece.num_rows == 1 or piece.nbytes <= piece_bytes + 64


def test_a_decoded_image_is_a_struct_of_its_pixels():
    made = column(kernel(Decode()), batch_of(FILES))
    assert [(row["width"], row["height"], row["mode"]) for row in made] == [
        (31, 17, "RGB"),
        (8, 40, "L"),
        (20, 20, "RGB"),
        (9, 9, "RGBA"),
        (1, 1, "RGB"),
    ]
    assert np.array_equal(pixels_of(made[1]), np.asarray(picture(8, 40, 2, "L")))


@pytest.mark.parametrize("mode", [None, "L", "LA", "RGB", "RGBA"])
def test_a_resize_makes_tensors_that_numpy_reads(mode):
    table = pushed(kernel(Decode(mode), Resize(12, 7)), batch_of([*FILES[:2], None]))
    made = table.column("made").combine_chunks()
    tensors = made[:2].to_numpy_ndarray()
    assert tensors.shape == (2, 7, 12, {"L": 1, "LA": 2, None: 3, "RGB": 3, "RGBA": 4}[mode])
    assert made.is_null().to_pylist() == [False, False, True]
    expected = Image.open(io.BytesIO(FILES[0])).convert(mode or "RGB").resize((12, 7), Image.Resampling.BOX)
    assert np.abs(tensors[0].squeeze().astype(int) - np.asarray(expected)).max() <= 2


def test_a_scaled_decode_looks_like_a_whole_one():
    steps = ImageSteps((Decode(), Resize(40, 30)))
    batch = batch_of([file_of(picture(16, 12).resize((400, 300)), "JPEG", quality=95)])
    whole, less = (column(kernel(*s.steps), batch)[0] for s in (steps, scaled(steps)))
    error = np.asarray(whole, float) - np.asarray(less, float)
    assert 0 < np.sqrt(np.mean(error**2)) < 6


@pytest.mark.parametrize("mode", [None, "L", "RGB", "RGBA"])
def test_a_picture_is_in_its_place_before_the_next_is_read(mode):
    sizes = [(20, 20), (160, 90), (20, 20), (9, 200), (1, 1), (80, 80)]
    files = [file_of(picture(*size, n, "L" if n % 2 else "RGB"), "JPEG") for n, size in enumerate(sizes)]
    steps = scaled(ImageSteps((Decode(mode), Resize(20, 20)))).steps
    together = column(kernel(*steps), batch_of(files))
    assert together == [column(kernel(*steps), batch_of([file]))[0] for file in files]
    assert len({bytes(row) for row in together}) == len(files)


def test_steps_take_structs_and_tensors_of_earlier_columns():
    batch = batch_of([*FILES, None])
    structs = pushed(kernel(Decode()), batch).column("made").combine_chunks()
    at_once = column(kernel(Decode(), Resize(6, 5)), batch)
    tensors = pushed(kernel(Resize(6, 5), of=IMAGE), batch_of(structs)).column("made").combine_chunks()
    assert tensors.to_pylist() == at_once

    later = kernel(Crop((2, 1, 9, 3)), of=tensors.type)
    sliced = batch_of(tensors).slice(1)
    made = pushed(later, sliced).column("made").combine_chunks()
    assert made.type.shape == [3, 4, 3]
    assert np.array_equal(made[:4].to_numpy_ndarray(), tensors[1:5].to_numpy_ndarray()[:, 1:4, 2:6])
    assert made.null_count == 1
    assert made.to_pylist() == column(later, batch_of(tensors))[1:]


def test_a_crop_keeps_what_lies_in_the_image_and_fails_where_nothing_does():
    made = column(kernel(Decode(), Crop((5, 4, 10, 100))), batch_of(FILES[:1]))
    assert np.array_equal(pixels_of(made[0]), np.asarray(picture(31, 17, 1))[4:, 5:15])
    with pytest.raises(CorruptInput, match="body, row 0 of its batch: no pixel of an image of 31 x 17"):
        column(kernel(Decode(), Crop((31, 0, 1, 1))), batch_of(FILES[:1]))
    assert column(kernel(Decode(on_error="null"), Crop((31, 0, 1, 1))), batch_of(FILES[:1])) == [None]


def test_sizes_are_numbers():
    assert column(kernel(Decode(), Width()), batch_of([*FILES, None])) == [31, 8, 20, 9, 1, None]
    assert column(kernel(Decode(), Height()), batch_of([*FILES, None])) == [17, 40, 20, 9, 1, None]


@pytest.mark.parametrize("format_", ["jpeg", "png", "webp", "gif", "tiff", "bmp"])
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_an_encoded_image_is_a_file_of_its_format(format_, mode):
    (made,) = column(kernel(Decode(mode), Encode(format_)), batch_of(FILES[:1]))
    image = Image.open(io.BytesIO(made))
    assert (image.format, image.size) == (format_.upper(), (31, 17))
    if format_ in ("png", "tiff"):
        assert np.array_equal(np.asarray(image), np.asarray(picture(31, 17, 1).convert(mode)))


def test_quality_is_heard():
    low, high = (len(column(kernel(Decode(), Encode("jpeg", q)), batch_of(FILES[:1]))[0]) for q in (5, 95))
    assert low < 0.8 * high


def test_tensors_of_any_shape_keep_their_pixels():
    table = pushed(kernel(Decode(), ToTensor()), batch_of([FILES[1], None, FILES[0]]))
    assert table.schema.field("made").type == ANY_TENSOR
    first, null, last = table.column("made").to_pylist()
    assert null is None
    assert (first["shape"], last["shape"]) == ([40, 8, 1], [17, 31, 3])
    assert np.array_equal(np.reshape(last["data"], last["shape"]), np.asarray(picture(31, 17, 1)))


def test_a_bad_row_fails_with_its_place_or_is_null_and_told():
    batch = batch_of([FILES[0], b"<html>", None])
    with pytest.raises(CorruptInput) as failure:
        column(kernel(Decode(), Resize(2, 2)), batch)
    assert (failure.value.source, failure.value.where) == ("body", "row 1 of its batch")
    assert failure.value.reason == "not an image: HTML or XML"
    forgiving = kernel(Decode(on_error="null"), Resize(2, 2))
    assert [row is None for row in column(forgiving, batch)] == [False, True, True]
    (told,) = forgiving.drain_failures()
    assert (told.what, told.rows, told.reason) == ("body", 1, "not an image: HTML or XML")
    assert not forgiving.drain_failures()


def test_a_row_with_too_many_pixels_names_its_place():
    with pytest.raises(LimitExceeded, match="body, row 1 of its batch: image pixels is 527, the limit is 100"):
        column(kernel(Decode(max_pixels=100)), batch_of([FILES[4], FILES[0]]))
    forgiving = kernel(Decode(on_error="null", max_pixels=100))
    assert [row is None for row in column(forgiving, batch_of([FILES[4], FILES[0]]))] == [False, True]


@pytest.mark.parametrize(
    "struct",
    [
        {"data": b"123", "height": 1, "width": 2, "mode": "L"},
        {"data": None, "height": 1, "width": 2, "mode": "L"},
        {"data": b"", "height": 0, "width": 2, "mode": "L"},
        {"data": b"1234", "height": -2, "width": -2, "mode": "L"},
        {"data": b"12", "height": 1, "width": 2, "mode": "CMYK"},
        {"data": b"12", "height": None, "width": 2, "mode": "L"},
    ],
)
def test_a_struct_whose_fields_do_not_fit_is_corrupt(struct):
    with pytest.raises(CorruptInput, match="not a decoded image"):
        column(kernel(Resize(2, 2), of=IMAGE), batch_of([struct], IMAGE))


def test_columns_are_replaced_and_left_out_as_the_schema_says():
    replaced = pushed(kernel(Decode(), Width(), output="body"), batch_of(FILES[:2]))
    assert replaced.to_pydict() == {"id": [0, 1], "body": [31, 8]}
    assert pushed(kernel(Decode(), Width(), keep=()), batch_of(FILES[:2])).to_pydict() == {"made": [31, 8]}


def test_a_piece_pins_little_more_than_itself():
    big = batch_of([file_of(picture(200, 150, seed)) for seed in range(40)])
    one = kernel(Decode(), Resize(32, 32))
    for piece in one.push(big, 100_000):
        assert held_bytes(piece) <= 2.5 * piece.nbytes


def test_a_batch_that_inflates_thirty_times_is_never_held_whole():
    big = batch_of([file_of(Image.new("RGB", (500, 400)), "JPEG")] * 30)
    one = kernel(Decode(), keep=("id",))
    before, most, rows = pa.total_allocated_bytes(), 0, 0
    for piece in one.push(big, 1 << 20):
        rows += piece.num_rows
        most = max(most, piece.nbytes)
        del piece
    assert rows == 30
    assert most <= 1 << 20
    assert pa.total_allocated_bytes() - before < 1 << 20


def test_the_bridge_runs_it_and_tells_the_failures():
    stage = FakeStage()
    one = Transform(lambda: kernel(Decode(on_error="null"), Width()), stateless=True)
    out = run_operator(one, [batch_of(FILES), batch_of([b"", FILES[0]])], stage=stage)
    assert out.table().column("made").to_pylist() == [31, 8, 20, 9, 1, None, 31]
    assert [fact.reason for fact in stage.facts] == ["not an image: no bytes"]


def test_what_a_batch_takes_is_foreseen_before_anything_is_decoded():
    one = kernel(Decode(), keep=())
    png = 2 * len(FILES[0]) + 8 * 31 * 17  # an image, and a copy in case it has to be turned
    assert one.foresee(batch_of([FILES[0], None, BAD[1], FILES[4]])) == Foreseen(3 * 31 * 17 + 24 + 3 + 24, 1605, png)
    assert kernel(Resize(2, 2), of=IMAGE, keep=()).foresee(batch_of([None], IMAGE)) == Foreseen(12, 0, 0)


@given(
    st.lists(st.sampled_from([*FILES, *BAD, None]), min_size=1, max_size=6),
    st.sampled_from(
        [(), (Resize(60, 50),), (Crop((0, 0, 9, 9)),), (Width(),), (ToTensor(),), (Resize(3, 3), ToTensor())]
    ),
)
@settings(max_examples=60, deadline=None)
def test_no_batch_makes_more_than_was_foreseen(files, steps):
    one = kernel(Decode(on_error="null"), *steps)
    batch = batch_of(files)
    foreseen = one.foresee(batch)
    made = pushed(one, batch)
    assert made.nbytes <= foreseen.made_bytes + 24 * len(files) + 64  # offsets and validity of rows that are null
    row = max(pushed(one, batch.slice(number, 1)).column("made").nbytes for number in range(len(files)))
    assert row <= foreseen.row_bytes + one._slot_bytes + 64


def test_a_row_that_would_take_too_much_memory_is_refused_before_it_is_decoded():
    huge = png_header(30_000, 30_000)
    one = kernel(Decode("RGB", max_pixels=10**9), keep=()).within(50 << 20)
    batch = batch_of([FILES[0], huge])
    assert one.foresee(batch).held_bytes(1 << 20) < 100_000
    with pytest.raises(RowTooLarge) as failure:
        column(one, batch)
    assert failure.value.place == "body, row 1 of its batch: an image of 30,000 x 30,000 pixels"
    assert failure.value.needed_bytes > 30_000 * 30_000 * (4 + 4 + 3)
    assert failure.value.limit_bytes == 50 << 20
    forgiving = kernel(Decode("RGB", on_error="null", max_pixels=10**9), keep=()).within(50 << 20)
    assert [row is None for row in column(forgiving, batch)] == [False, True]
    (told,) = forgiving.drain_failures()
    assert "an image of 30,000 x 30,000 pixels: one row needs" in told.reason


def test_a_tensor_too_large_for_a_row_is_refused_too():
    structs = pushed(kernel(Decode()), batch_of(FILES[:1])).column("made").combine_chunks()
    one = kernel(Resize(9000, 9000), of=IMAGE).within(50 << 20)
    with pytest.raises(RowTooLarge, match="body, row 0 of its batch: an image of 31 x 17 pixels: one row needs"):
        column(one, batch_of(structs))


def test_a_large_jpeg_fits_where_a_scaled_decode_makes_it_small():
    file = file_of(Image.new("RGB", (3000, 2000)), "JPEG")
    steps = scaled(ImageSteps((Decode(), Resize(30, 20)))).steps
    assert len(column(kernel(*steps).within(2 << 20), batch_of([file]))) == 1
    with pytest.raises(RowTooLarge):
        column(kernel(Decode(), Resize(30, 20)).within(2 << 20), batch_of([file]))
