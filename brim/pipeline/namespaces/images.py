"""`.image`: methods of expressions of images: encoded, decoded, or tensors of one size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from brim.operators.expressions.tree import Apply, Tree
from brim.operators.images.steps import Crop, Decode, Encode, Height, ImageStep, ImageSteps, Resize, ToTensor, Width

E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class ImageNamespace(Generic[E]):
    """What `col(...).image` offers; `wrap` makes an expression of a tree."""

    tree: Tree
    wrap: Callable[[Tree], E]

    def decode(
        self, mode: Literal["L", "LA", "RGB", "RGBA"] | None = None, on_error: Literal["raise", "null"] = "raise"
    ) -> E:
        """The pixels of an image file, upright: JPEG, PNG, WebP, GIF, TIFF or BMP; `mode` None keeps the file's own.

        >>> col("a").image.decode("RGB")
        image.decode(col("a"))
        """
        return self._then(Decode(mode, on_error))

    def resize(self, width: int, height: int) -> E:
        """Scaled to exactly this size, a tensor.

        >>> col("a").image.decode().image.resize(64, 64)
        image.decode.resize(col("a"))
        """
        return self._then(Resize(width, height))

    def crop(self, box: tuple[int, int, int, int]) -> E:
        """Cut out `box` = (x, y, width, height), less what of it lies outside the image.

        >>> col("a").image.crop((0, 0, 8, 8))
        image.crop(col("a"))
        """
        return self._then(Crop(box))

    def encode(self, format: Literal["jpeg", "png", "webp", "gif", "tiff", "bmp"], quality: int | None = None) -> E:  # noqa: A002 - Polars' word
        """An image file; `quality` is 1 to 100, for JPEG and WebP.

        >>> col("a").image.encode("png")
        image.encode(col("a"))
        """
        return self._then(Encode(format, quality))

    def width(self) -> E:
        """Pixels in a row, an int32.

        >>> col("a").image.width()
        image.width(col("a"))
        """
        return self._then(Width())

    def height(self) -> E:
        """Rows of pixels, an int32.

        >>> col("a").image.height()
        image.height(col("a"))
        """
        return self._then(Height())

    def to_tensor(self) -> E:
        """The pixels as a tensor: of one shape when the image has one.

        >>> col("a").image.to_tensor()
        image.to_tensor(col("a"))
        """
        return self._then(ToTensor())

    def _then(self, step: ImageStep) -> E:
        """Go on where images are already being worked on, so that a row goes through all steps at once."""
        match self.tree:
            case Apply(step=ImageSteps() as steps, arguments=arguments):
                return self.wrap(Apply(steps.then(step), arguments))
            case tree:
                return self.wrap(Apply(ImageSteps((step,)), (tree,)))
