"""The first look at Parquet files, when they are declared: their schema, and how many rows and bytes there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from brim.errors import CorruptInput, PlanError
from brim.io.files.corrupt_input import reading
from brim.io.files.normalise import check_fields, plain_schema
from brim.io.files.open_file import open_file
from brim.io.files.paths import DataFile
from brim.io.parquet.parquet_footer import Footer, open_footer
from brim.io.parquet.row_groups import DecodedSize, decoded_size
from brim.io.source import OnError

NAME = "read_parquet"
LOOKED_AT = 16  # with so many files or fewer every footer is read at declaration: rows are known, schemas compared


@dataclass(frozen=True, slots=True)
class Look:
    """What a first look at the files says: `pages` is what decoding each column of the first row group holds.

    `rows` and `decoded_bytes` are those of all files, None where not all were looked at; bytes are estimated from the
    first row group.
    """

    schema: pa.Schema
    pages: tuple[tuple[str, int], ...]
    rows: int | None
    decoded_bytes: int | None


def first_look(files: Sequence[DataFile], on_error: OnError) -> Look:
    """Read the first file's footer, all of them where files are few; with `skip` the first sound one decides."""
    first: Footer | None = None
    rows, trouble = 0, None
    few = len(files) <= LOOKED_AT
    for data in files:
        if first is not None and not few:
            break
        try:
            opened = open_footer(data.path)
        except CorruptInput as error:
            if on_error == "raise":
                raise
            trouble = error
            continue
        if first is None:
            first = opened
        else:
            check_fields(opened.schema, plain_schema(first.schema), f"{NAME}: {data.path}", first.path)
        rows += opened.footer.num_rows
    if first is None:
        assert trouble is not None, "without files or trouble there is a first"
        raise trouble
    if twice := sorted({name for name in first.schema.names if first.schema.names.count(name) > 1}):
        raise PlanError(f"{NAME}: {first.path}: more than one column is called {twice}")
    sizes = dict(_sizes(first))
    pages = tuple((name, size.decoder_bytes) for name, size in sizes.items())
    row_bytes = sum(size.decoded_bytes / max(1, size.rows) for size in sizes.values())
    known = (rows, int(rows * row_bytes)) if few and trouble is None else (None, None)
    return Look(plain_schema(first.schema), pages, *known)


def _sizes(opened: Footer) -> Iterator[tuple[str, DecodedSize]]:
    """Of each column of the first row group."""
    with reading(opened.path, "row group 0, footer"), open_file(opened.path) as file:
        for name in opened.schema.names:
            if opened.footer.num_row_groups:
                leaves = opened.leaves([name])
                yield name, decoded_size(opened.group(0, leaves), leaves, file)
            else:
                yield name, DecodedSize(0, 0, 0)
