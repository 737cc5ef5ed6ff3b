"""Steps on images: what is to be done to a column of them, and the types that come of it.

A column of images has one of three types
- encoded: `binary` or `large_binary`, the bytes of a JPEG, PNG, WebP, GIF, TIFF or BMP file;
- decoded: `struct<data: large_binary, height: int32, width: int32, mode: string>`, rows of any size and mode;
- tensor: the canonical `fixed_shape_tensor<uint8>[height, width, channels]`, rows of one size and mode.

Pixels are 8 bits a channel and the modes are ``"L"``, ``"LA"``, ``"RGB"`` and ``"RGBA"``; anything else a file may hold
(palettes, CMYK, 16 bits) becomes the nearest of these.

`Decode(mode=None)` keeps the file's mode. `Resize` always makes a tensor, so that its rows can be stacked: in the mode
`Decode` was told, else in RGB. A tensor has three dimensions in every mode, ``[height, width, 1]`` for ``"L"``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import pyarrow as pa

from brim.errors import PlanError, SchemaMismatch

CHANNELS = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}
MODES = {channels: mode for mode, channels in CHANNELS.items()}
FORMATS = ("jpeg", "png", "webp", "gif", "tiff", "bmp")
MAX_PIXELS = 89_478_485  # above this Pillow speaks of a decompression bomb

IMAGE = pa.struct(
    [
        pa.field("data", pa.large_binary()),
        pa.field("height", pa.int32()),
        pa.field("width", pa.int32()),
        pa.field("mode", pa.string()),
    ]
)
ANY_TENSOR = pa.struct([pa.field("data", pa.list_(pa.uint8())), pa.field("shape", pa.list_(pa.int32(), 3))])
"""Tensors of several shapes, stored as the canonical `variable_shape_tensor` is: shape = height, width, channels."""


def tensor(width: int, height: int, mode: str) -> pa.DataType:
    """The type of images that all have this size and mode.

    >>> tensor(4, 2, "L").shape
    [2, 4, 1]
    """
    return pa.fixed_shape_tensor(pa.uint8(), [height, width, CHANNELS[mode]])


def is_encoded(type_: pa.DataType) -> bool:
    """Whether a column of `type_` may hold image files."""
    return bool(pa.types.is_binary(type_) or pa.types.is_large_binary(type_))


def is_decoded(type_: pa.DataType) -> bool:
    """Whether `type_` is that of decoded images of any size."""
    return bool(type_.equals(IMAGE))


def is_tensor(type_: pa.DataType) -> bool:
    """Whether `type_` is that of decoded images of one size."""
    return (
        isinstance(type_, pa.FixedShapeTensorType)
        and type_.value_type == pa.uint8()
        and len(type_.shape) == 3  # noqa: PLR2004 - height, width, channels
        and type_.shape[2] in MODES
        and type_.permutation in (None, [0, 1, 2])
    )


@dataclass(frozen=True, slots=True)
class Decode:
    """Read an image file: its first frame, upright as its EXIF orientation says.

    `scale_to` (width, height) allows a smaller image, not smaller than that: a resize to it follows.
    More than `max_pixels` (width times height, as the file's header says) is a `LimitExceeded` before any is decoded.
    """

    mode: Literal["L", "LA", "RGB", "RGBA"] | None = None
    on_error: Literal["raise", "null"] = "raise"
    scale_to: tuple[int, int] | None = None
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        if self.mode is not None and self.mode not in CHANNELS:
            raise PlanError(f"image.decode: mode is one of {list(CHANNELS)} or None, not {self.mode!r}")
        if self.on_error not in ("raise", "null"):
            raise PlanError(f'image.decode: on_error is "raise" or "null", not {self.on_error!r}')


@dataclass(frozen=True, slots=True)
class Resize:
    """Scale to exactly `width` by `height` pixels."""

    width: int
    height: int

    def __post_init__(self) -> None:
        if min(self.width, self.height) < 1 or self.width * self.height > MAX_PIXELS:
            raise PlanError(f"image.resize: no image of {self.width} x {self.height} pixels can be made")


@dataclass(frozen=True, slots=True)
class Crop:
    """Cut out `box` = (x, y, width, height), less what of it lies outside the image."""

    box: tuple[int, int, int, int]

    def __post_init__(self) -> None:
        x, y, width, height = self.box
        if min(x, y) < 0 or min(width, height) < 1:
            raise PlanError(f"image.crop: a box is (x, y, width, height) with a size, not {self.box}")


@dataclass(frozen=True, slots=True)
class Encode:
    """Write an image file; `quality` is 1 to 100, for JPEG and WebP. JPEG drops an alpha channel."""

    format: Literal["jpeg", "png", "webp", "gif", "tiff", "bmp"]
    quality: int | None = None

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise PlanError(f"image.encode: format is one of {list(FORMATS)}, not {self.format!r}")
        if self.quality is not None and not (1 <= self.quality <= 100 and self.format in ("jpeg", "webp")):  # noqa: PLR2004
            raise PlanError(f'image.encode: quality is 1 to 100, of "jpeg" and "webp", not {self.quality!r}')


@dataclass(frozen=True, slots=True)
class Width:
    """Pixels in a row."""


@dataclass(frozen=True, slots=True)
class Height:
    """Rows of pixels."""


@dataclass(frozen=True, slots=True)
class ToTensor:
    """The pixels as a tensor: of one shape when the image has one, else `ANY_TENSOR`."""


ImageStep = Decode | Resize | Crop | Encode | Width | Height | ToTensor


@dataclass(frozen=True, slots=True)
class ImageSteps:
    """One step after another on one column; each row goes through all of them before the next row."""

    steps: tuple[ImageStep, ...]

    @property
    def name(self) -> str:
        """As `explain` shows it: ``image.decode.resize``."""
        return ".".join(["image", *(_name(step) for step in self.steps)])

    @property
    def to_null(self) -> bool:
        """Whether a row that fails, at whichever step, becomes null."""
        return any(isinstance(step, Decode) and step.on_error == "null" for step in self.steps)

    def then(self, step: ImageStep) -> ImageSteps:
        """These steps, and `step` after them."""
        return ImageSteps((*self.steps, step))

    def returns(self, types: tuple[pa.DataType, ...]) -> pa.DataType:
        """The type that comes of the one type in `types`; `SchemaMismatch` when a step cannot take what it gets."""
        *_, last = self.types(*types)
        return last

    def types(self, type_: pa.DataType) -> Iterator[pa.DataType]:
        """`type_`, and the type after each step."""
        yield type_
        mode = None
        for step in self.steps:
            mode = step.mode if isinstance(step, Decode) else mode
            type_ = _after(step, type_, mode)
            yield type_


def scaled(steps: ImageSteps) -> ImageSteps:
    """`steps` with a decode that need not make more pixels than the resize right after it asks for."""
    match steps.steps:
        case (Decode() as decode, Resize(width, height), *_):
            return ImageSteps((replace(decode, scale_to=(width, height)), *steps.steps[1:]))
        case _:
            return steps


def _name(step: ImageStep) -> str:
    return "to_tensor" if isinstance(step, ToTensor) else type(step).__name__.lower()


def _after(step: ImageStep, type_: pa.DataType, mode: str | None) -> pa.DataType:
    if isinstance(step, Decode):
        if not is_encoded(type_):
            raise SchemaMismatch("image.decode", "binary: the bytes of image files", str(type_))
        return IMAGE
    if not (is_decoded(type_) or is_tensor(type_)):
        raise SchemaMismatch(f"image.{_name(step)}", "images, as .image.decode() makes them", str(type_))
    match step:
        case Resize(width, height):
            return tensor(width, height, _mode(type_, mode))
        case Crop(box):
            return _cropped(type_, box)
        case Encode():
            return pa.large_binary()
        case Width() | Height():
            return pa.int32()
        case ToTensor():
            return type_ if is_tensor(type_) else ANY_TENSOR


def _mode(type_: pa.DataType, mode: str | None) -> str:
    """The mode of the tensor made of images of `type_`, whose decode was told `mode`."""
    return MODES[type_.shape[2]] if is_tensor(type_) else mode or "RGB"


def _cropped(type_: pa.DataType, box: tuple[int, int, int, int]) -> pa.DataType:
    if not is_tensor(type_):
        return IMAGE
    x, y, width, height = box
    rows, columns, channels = type_.shape
    if x >= columns or y >= rows:
        raise PlanError(f"image.crop: the box {box} lies outside of images of {columns} x {rows} pixels")
    return tensor(min(width, columns - x), min(height, rows - y), MODES[channels])
