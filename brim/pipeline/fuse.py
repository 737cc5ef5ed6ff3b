"""Fuse: neighbouring kernels without state become one stage, so a batch crosses one queue instead of several.

A pure function over stages. Only cheap kernels are joined (filter, project, explode); what may be slow keeps a stage of
its own, so that it can be seen. Where texts are split and their words exploded in one stage, long texts pass in parts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from brim.operators.explode import Explode
from brim.operators.expressions.tree import Call, Column, columns_of
from brim.operators.filter import Filter
from brim.operators.project import Project
from brim.operators.protocol import Kernel
from brim.operators.text_parts import TextParts
from brim.operators.transform import Transform
from brim.pipeline.plan import Stage

CHEAP = Filter | Project | Explode


@dataclass(frozen=True, slots=True)
class Chain:
    """Kernels one after another as one kernel; each piece runs through before the next is made."""

    kernels: tuple[Kernel, ...]

    def push(self, batch: pa.RecordBatch, piece_bytes: int) -> Iterator[pa.RecordBatch]:
        return self._push(0, batch, piece_bytes)

    def _push(self, first: int, batch: pa.RecordBatch, piece_bytes: int) -> Iterator[pa.RecordBatch]:
        if first == len(self.kernels):
            yield batch
            return
        for piece in self.kernels[first].push(batch, piece_bytes):
            yield from self._push(first + 1, piece, piece_bytes)

    def finish(self, piece_bytes: int) -> Iterator[pa.RecordBatch]:
        for index, kernel in enumerate(self.kernels):
            for piece in kernel.finish(piece_bytes):
                yield from self._push(index + 1, piece, piece_bytes)


@dataclass(frozen=True, slots=True)
class Fused:
    """Makes the chain of a run out of the kernels' specifications."""

    kernels: tuple[Kernel, ...]

    def __call__(self) -> Kernel:
        kernels = with_text_parts(self.kernels)
        return kernels[0] if len(kernels) == 1 else Chain(kernels)


def with_text_parts(kernels: tuple[Kernel, ...]) -> tuple[Kernel, ...]:
    """`kernels`, with long texts cut in parts before they are split, where what comes of it is exploded at once."""
    made: list[Kernel] = []
    for kernel, after in zip(kernels, (*kernels[1:], None), strict=True):
        if isinstance(kernel, Project) and isinstance(after, Explode) and (parts := _text_parts(kernel, after)):
            made.append(parts)
        made.append(kernel)
    return tuple(made)


def _text_parts(project: Project, explode: Explode) -> TextParts | None:
    """What cuts the texts, if they are split by a constant and nobody else reads them."""
    match [tree for name, tree in project.expressions if name in explode.columns]:
        case [Call("str.split", (Column(text),), (("by", str(by)),)) as split] if by:
            others = [tree for _, tree in project.expressions if tree != split]
            return None if any(text in columns_of(tree) for tree in others) else TextParts(text, by)
        case _:
            return None


def fuse(stages: Sequence[Stage]) -> tuple[Stage, ...]:
    """`stages` with every run of fusible neighbours joined into the first of them; ids of all are kept in `nodes`."""
    made: list[Stage] = []
    place: dict[int, int] = {}
    for index, stage in enumerate(stages):
        moved = replace(stage, inputs=tuple(place[i] for i in stage.inputs))
        kernels = _fusible(stage)
        below = made[moved.inputs[0]] if kernels and moved.inputs else None
        if below is not None and moved.inputs == (len(made) - 1,) and (before := _fusible(below)):
            made[-1] = replace(
                moved,
                id=below.id,
                name=below.name if below.name == moved.name else f"{below.name}+{moved.name}",
                detail=f"{below.detail} → {moved.detail}",
                operator=Transform(Fused((*before, *(kernels or ()))), stateless=True, joins=_joins(below, stage)),
                inputs=below.inputs,
                nodes=(*below.nodes, *moved.nodes),
            )
        else:
            made.append(moved)
        place[index] = len(made) - 1
    return tuple(made)


def _joins(*stages: Stage) -> bool:
    return all(isinstance(stage.operator, Transform) and stage.operator.joins for stage in stages)


def _fusible(stage: Stage) -> tuple[Kernel, ...] | None:
    match stage.operator:
        case Transform(open_kernel=Fused(kernels=kernels)):
            return kernels if all(isinstance(kernel, CHEAP) for kernel in kernels) else None
        case _:
            return None
