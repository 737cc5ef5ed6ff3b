"""The contact sheet shows every image in its place."""

import numpy as np
import pyarrow as pa
from PIL import Image

from brim.demo.contact_sheet import GAP, MISSING, PAPER, contact_sheet


def tensors(count, channels=3):
    colours = np.arange(count, dtype=np.uint8) * 10
    return np.broadcast_to(colours[:, None, None, None], (count, 5, 7, channels)).copy()


def cells(path, columns, count):
    sheet = np.asarray(Image.open(path))
    corners = [(GAP + n // columns * (5 + GAP), GAP + n % columns * (7 + GAP)) for n in range(count)]
    return sheet, [sheet[top : top + 5, left : left + 7] for top, left in corners]


def test_images_lie_in_rows(tmp_path):
    contact_sheet(tensors(8), tmp_path / "sheet.png", columns=3)
    sheet, found = cells(tmp_path / "sheet.png", 3, 8)
    assert sheet.shape == (3 * (5 + GAP) + GAP, 3 * (7 + GAP) + GAP, 3)
    assert all((cell == number * 10).all() for number, cell in enumerate(found))
    assert (sheet[:GAP] == PAPER).all()


def test_arrow_tensors_chunks_and_nulls_are_shown(tmp_path):
    for channels in (1, 3, 4):
        array = pa.FixedShapeTensorArray.from_numpy_ndarray(tensors(2, channels))
        chunked = pa.chunked_array([array, pa.nulls(1, array.type), array.slice(1)])
        contact_sheet(chunked, str(tmp_path / "sheet.png"))
        _, found = cells(tmp_path / "sheet.png", 4, 4)
        assert [int(cell.mean()) for cell in found] == [0, 10, MISSING, 10]


def test_nothing_is_an_empty_sheet(tmp_path):
    contact_sheet(tensors(0), tmp_path / "sheet.png")
    assert (np.asarray(Image.open(tmp_path / "sheet.png")) == PAPER).all()
