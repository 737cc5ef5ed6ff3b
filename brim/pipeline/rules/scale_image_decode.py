"""Scale image decode: a decoder that knows the size asked for later reads a JPEG at about that size.

>>> import pyarrow as pa
>>> from brim.io.in_memory import arrow_source
>>> from brim.pipeline.nodes import ApplyStep, Scan
>>> from brim.operators.images.steps import Decode, ImageSteps, Resize
>>> scan = Scan("scan-1", arrow_source(pa.table({"body": [b""]})))
>>> steps = ImageSteps((Decode(), Resize(224, 224)))
>>> node = ApplyStep("select-2.image", scan, steps, ("body",), "thumb", ("thumb",))
>>> scale_image_decode(node).step.steps[0].scale_to
(224, 224)
"""

from __future__ import annotations

from dataclasses import replace

from brim.operators.images.steps import ImageSteps, scaled
from brim.pipeline.nodes import ApplyStep, Node, transform


def scale_image_decode(node: Node) -> Node:
    """Tell decoders which size is asked for."""
    return transform(node, _scale)


def _scale(node: Node) -> Node:
    match node:
        case ApplyStep(step=ImageSteps() as steps):
            return replace(node, step=scaled(steps))
        case _:
            return node
