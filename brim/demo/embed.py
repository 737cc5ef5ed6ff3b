"""Embed: what a picture looks like as a short vector, from its colours and edges. Stands in for a model."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

import brim

COLOURS, EDGES = 8, 8
LENGTH = 3 * COLOURS + EDGES

Floats = npt.NDArray[np.float32]


@brim.udf(returns=pa.list_(pa.float32(), LENGTH), batch_size=64, concurrency=2)
def embed(thumbs: Any) -> pa.Array:
    """A vector of length 1 for each thumbnail: Arrow tensors in, Arrow lists out. Runs in two worker processes."""
    vectors = [vector(pixels) for pixels in thumbs.to_numpy_ndarray()]
    return pa.FixedSizeListArray.from_arrays(np.concatenate(vectors), LENGTH)


def vector(pixels: npt.NDArray[np.uint8]) -> Floats:
    """How much of each shade of red, green and blue `pixels` [height, width, 3] has, and of edges in each direction."""
    shades = pixels.reshape(-1, 3) // (256 // COLOURS) + np.arange(3, dtype=np.uint8) * COLOURS
    found = np.concatenate([_share(np.bincount(shades.ravel(), minlength=3 * COLOURS)), _share(_edges(pixels))])
    return np.asarray(found / np.linalg.norm(found), np.float32)


def _edges(pixels: npt.NDArray[np.uint8]) -> Any:
    """Edges by direction, weighed by how sharp they are."""
    grey = pixels.mean(axis=2, dtype=np.float32)
    down, right = grey[2:, 1:-1] - grey[:-2, 1:-1], grey[1:-1, 2:] - grey[1:-1, :-2]
    directions = ((np.arctan2(down, right) / np.pi + 1) * (EDGES / 2)).astype(np.int64) % EDGES
    return np.bincount(directions.ravel(), weights=np.hypot(down, right).ravel(), minlength=EDGES)


def _share(counts: Any) -> Any:
    return counts / max(1.0, counts.sum())
