"""Fuse: neighbouring kernels without state become one stage, so a batch crosses one queue instead of several.

A pure function over stages. Only cheap kernels are joined (filter, project, explode), and the aggregates after them;
what may be slow keeps a stage of its own, so that it can be seen. Values that are decompressed are the exception: where
the next kernel keeps but numbers of them, it runs in their stage, and no large value crosses a queue. Where texts are
split and their words exploded in one stage, long texts pass in parts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

import pyarrow as pa

from brim.operators.aggregate import AggregateAll
from brim.operators.decompress import DecompressColumn
from brim.operators.explode import Explode
from brim.operators.expressions.tree import Call, Column, Tree, columns_of
from brim.operators.filter import Filter
from brim.operators.fold import Fold
from brim.operators.project import Project
from brim.operators.protocol import ForeseeingKernel, Foreseen, Kernel
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


@dataclass(eq=False, slots=True)
class Headed:
    """A chain whose first kernel foresees: what that makes is what the chain takes."""

    head: ForeseeingKernel
    fused: Fused
    kernel: Kernel

    def push(self, batch: pa.RecordBatch, piece_bytes: int) -> Iterator[pa.RecordBatch]:
        return self.kernel.push(batch, piece_bytes)

    def finish(self, piece_bytes: int) -> Iterator[pa.RecordBatch]:
        return self.kernel.finish(piece_bytes)

    def within(self, row_bytes: int) -> Headed:
        """This chain, refusing rows of which its first kernel would make more than `row_bytes`."""
        return self.fused.headed(self.head.within(row_bytes))

    def foresee(self, batch: pa.RecordBatch) -> Foreseen:
        """What the first kernel holds, and what comes out: no more than the other columns and numbers for each row."""
        foreseen = self.head.foresee(batch)
        out = 0 if self.fused.aggregation else batch.nbytes + batch.num_rows * self.fused.number_bytes
        return replace(foreseen, work_bytes=foreseen.work_bytes + out)


@dataclass(frozen=True, slots=True)
class Aggregation:
    """The aggregates at the end of a chain, over batches of `schema`."""

    expressions: tuple[tuple[str, Tree], ...]
    schema: pa.Schema


@dataclass(frozen=True, slots=True)
class Fused:
    """Makes the chain of a run out of the kernels' specifications, and of the aggregates that end it."""

    kernels: tuple[Kernel, ...]
    aggregation: Aggregation | None = None

    def __call__(self) -> Kernel:
        head = self.kernels[0] if self.kernels else None
        if isinstance(head, DecompressColumn) and (len(self.kernels) > 1 or self.aggregation):
            return self.headed(head)
        return self._of(with_text_parts(self.kernels))

    def headed(self, head: ForeseeingKernel) -> Headed:
        """The chain that begins with `head` instead."""
        return Headed(head, self, self._of((head, *self.kernels[1:])))

    @property
    def number_bytes(self) -> int:
        """The most that the numbers which the chain computes of a row weigh."""
        fields = [field for kernel in self.kernels if isinstance(kernel, Project) for field in kernel.schema]
        return sum(1 + -(-field.type.bit_width // 8) for field in fields if is_number_like(field.type))

    def _of(self, kernels: tuple[Kernel, ...]) -> Kernel:
        chain = kernels[0] if len(kernels) == 1 else Chain(kernels)
        if self.aggregation is None:
            return chain
        return Fold(chain, AggregateAll(self.aggregation.expressions, self.aggregation.schema))


def with_text_parts(kernels: tuple[Kernel, ...]) -> tuple[Kernel, ...]:
    """`kernels`, with long texts cut in parts before they are split, where what comes of it is exploded at once."""
    made: list[Kernel] = []
    for kernel, after in zip_longest(kernels, kernels[1:]):
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
        below = made[-1] if moved.inputs == (len(made) - 1,) else None
        if below is not None and (joined := _joined(_fused(below), _fused(stage))):
            made[-1] = replace(
                moved,
                id=below.id,
                name=below.name if below.name == moved.name else f"{below.name}+{moved.name}",
                detail=f"{below.detail} → {moved.detail}",
                operator=_transform(joined, joins=_joins(below, stage)),
                inputs=below.inputs,
                nodes=(*below.nodes, *moved.nodes),
            )
        else:
            made.append(moved)
        place[index] = len(made) - 1
    return tuple(made)


def _transform(joined: Fused, *, joins: bool) -> Transform:
    return Transform(joined, stateless=True, joins=joins, keeps=joined.aggregation is not None)


def _joins(*stages: Stage) -> bool:
    return all(isinstance(stage.operator, Transform) and stage.operator.joins for stage in stages)


def _fused(stage: Stage) -> Fused | None:
    match stage.operator:
        case Transform(open_kernel=Fused() as fused):
            return fused
        case _:
            return None


def _joined(below: Fused | None, above: Fused | None) -> Fused | None:
    """Both as one, where that is worth it."""
    if below is None or above is None or below.aggregation or not all(isinstance(k, CHEAP) for k in above.kernels):
        return None
    joined = Fused((*below.kernels, *above.kernels), above.aggregation)
    first, *others = joined.kernels
    if isinstance(first, DecompressColumn):
        return joined if _shrinks(first, others) else None
    return joined if isinstance(first, CHEAP) else None


def _shrinks(head: DecompressColumn, others: Sequence[Kernel]) -> bool:
    """Whether nothing large is left of what `head` makes after the next kernel, and nothing large is made later."""
    if not others:
        return True  # an aggregate follows
    first, *later = others
    return (
        isinstance(first, Project)
        and _computes_numbers(first, but=head.output)
        and all(isinstance(kernel, Filter) or _computes_numbers(kernel) for kernel in later)
    )


def _computes_numbers(kernel: Kernel, but: str | None = None) -> bool:
    """Whether all that comes out are numbers and columns as they were, other than the column `but`."""
    return isinstance(kernel, Project) and all(
        is_number_like(field.type) or (isinstance(tree, Column) and tree.name != but)
        for (_, tree), field in zip(kernel.expressions, kernel.schema, strict=True)
    )


def is_number_like(kind: pa.DataType) -> bool:
    """Whether a value of `kind` takes a few bytes, whatever it is.

    >>> is_number_like(pa.bool_()), is_number_like(pa.decimal128(20)), is_number_like(pa.binary(1000))
    (True, True, False)
    """
    return bool(pa.types.is_primitive(kind) or pa.types.is_decimal(kind))
