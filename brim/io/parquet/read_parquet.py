"""Read Parquet: row groups in order, a bounded step of rows at a time.

Never a data set scanner, which accumulates. A row group is read by steps of as many rows as weigh about a batch; the
footer says how many. What cannot be made smaller is a page: the page headers say how much that is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import pyarrow as pa

from brim.errors import CorruptInput, TransferFailed
from brim.events import RowsFailed
from brim.io.files.columns import check_selection
from brim.io.files.corrupt_input import beside, reading
from brim.io.files.hive import partition_schema, partition_values
from brim.io.files.normalise import check_fields, conform, plain_schema
from brim.io.files.open_file import open_file
from brim.io.files.paths import (
    DataFile,
    Files,
    LaterFiles,
    Paths,
    describe_files,
    find_files,
    find_files_or_later,
    window_bytes,
)
from brim.io.files.pieces import pieces
from brim.io.parquet.first_look import NAME, Look, first_look
from brim.io.parquet.parquet_file import open_parquet
from brim.io.parquet.parquet_footer import Footer, open_footer
from brim.io.parquet.prune import Range, may_match
from brim.io.parquet.row_filter import RowFilter, row_filter
from brim.io.parquet.row_groups import BUFFER_BYTES, PAGE_BYTES, DecodedSize, decoded_size
from brim.io.scan import Batches, Scan
from brim.io.source import OnError
from brim.operators.coalesce import Coalesce
from brim.operators.expressions.tree import Tree
from brim.operators.protocol import Operator
from brim.sizes import MIB, format_size

SUFFIXES = (".parquet", ".parq", ".pq")
_FLOOR_BYTES = 4 * MIB  # the most the floor pays for a column's decoder: the pages of most writers; more is on loan
_FILL = 0.75  # of a batch is aimed at, so that few batches have to be cut
_FILL_LEARNED = 0.97  # and that much once batches have been seen
_ROWS_MAX = 1 << 20


def parquet_source(
    path: Paths,
    *,
    columns: Sequence[str] | None = None,
    schema: pa.Schema | None = None,
    trusted: bool = False,
    on_error: OnError = "raise",
) -> ParquetSource:
    """Files of Apache Parquet; `schema` keeps them closed until they are read.

    Raises:
        ObjectMissing, CorruptInput, UnknownColumn, PlanError: what is wrong with the path, the file or the columns.
        SchemaMismatch: two files do not agree, or a file and `schema`.
    """
    look = find_files if schema is None else find_files_or_later
    files = look(path, NAME, SUFFIXES)
    parts = partition_schema(files, NAME)
    looked = Look(plain_schema(schema), (), None, None) if schema is not None else first_look(tuple(files), on_error)
    whole = pa.schema([*(item for item in looked.schema if item.name not in parts.names), *parts])
    source = ParquetSource(files, whole, parts, tuple(whole.names), looked.pages, trusted, on_error, looked.rows)
    source = replace(source, windows_bytes=window_bytes(files), decoded_bytes=looked.decoded_bytes)
    return source if columns is None else source.with_columns(check_selection(columns, whole, NAME))


@dataclass(frozen=True, slots=True)
class ParquetSource:
    """See `parquet_source`.

    Attributes:
        files: in the order they are read.
        whole: all columns there are, those of Hive folders last.
        parts: the columns of Hive folders.
        columns: those that are selected.
        pages: what decoding each column holds, told from the first row group.
        decoded_bytes: of all rows and columns, told from the first row group and the footers.
        windows_bytes: what an open file holds of its object, where files are in an object store.
    """

    files: Files
    whole: pa.Schema
    parts: pa.Schema
    columns: tuple[str, ...]
    pages: tuple[tuple[str, int], ...] = ()
    trusted: bool = False
    on_error: OnError = "raise"
    rows: int | None = None
    limit: int | None = None
    predicates: tuple[Tree, ...] = ()
    decoded_bytes: int | None = None
    windows_bytes: int = 0

    @property
    def name(self) -> str:
        return NAME

    @property
    def place(self) -> str:
        return describe_files(self.files)

    @property
    def schema(self) -> pa.Schema:
        return pa.schema([self.whole.field(name) for name in self.columns])

    @property
    def one_shot(self) -> bool:
        return False

    @property
    def stored_columns(self) -> tuple[str, ...]:
        """The selected columns that are in the files."""
        return tuple(name for name in self.columns if name not in self.parts.names)

    @property
    def decoder_bytes(self) -> int:
        return sum(min(_FLOOR_BYTES, size) for size in self._column_bytes) + self.windows_bytes

    @property
    def alone_bytes(self) -> int:
        """What the first row group takes beyond that."""
        return sum(max(0, size - _FLOOR_BYTES) for size in self._column_bytes)

    @property
    def alone_reason(self) -> str:
        """Where that is."""
        if isinstance(self.files, LaterFiles) or not self.alone_bytes:
            return ""
        largest = max(zip(self._column_bytes, self.stored_columns, strict=True))[1]
        takes = f"whose pages are decoded whole, takes {format_size(self.alone_bytes)} alone"
        return f"{self.files[0].path}, row group 0, column {largest!r}, {takes}"

    @property
    def _column_bytes(self) -> list[int]:
        known = dict(self.pages)
        return [known.get(name, 2 * PAGE_BYTES + BUFFER_BYTES) for name in self.stored_columns]

    @property
    def one_by_one(self) -> bool:
        return False

    def with_columns(self, names: tuple[str, ...]) -> ParquetSource:
        return replace(self, columns=check_selection(names, self.schema, NAME))

    def with_limit(self, rows: int) -> ParquetSource:
        return replace(self, limit=rows if self.limit is None else min(rows, self.limit))

    def with_filters(self, predicates: tuple[Tree, ...]) -> ParquetSource:
        found = replace(self, predicates=(*self.predicates, *predicates))
        return found if found.row_filter is None else replace(found, rows=None)

    @property
    def row_filter(self) -> RowFilter | None:
        """What of the predicates is applied to the rows that are read, beside what they leave out unread."""
        return row_filter(self.predicates, self.stored_schema)

    def operator(self) -> Operator:
        return Scan(self, self.limit)

    def units(self) -> Iterator[RowGroup]:
        """The row groups that may hold rows that are wanted; footers are opened one after another."""
        learned = _Learned()
        for data in self.files:
            if not self._may_hold(data):
                continue
            try:
                opened = open_footer(data.path)
                with reading(data.path, "schema"):
                    check_fields(opened.schema, self.stored_schema, f"{NAME}: {data.path}", self._origin(data))
            except (CorruptInput, TransferFailed) as error:
                if self.on_error == "raise":
                    raise
                yield RowGroup(self, data, None, -1, DecodedSize(0, 0, 0), learned, beside(data.path, error))
                continue
            yield from self._groups(data, opened, learned)

    def _groups(self, data: DataFile, opened: Footer, learned: _Learned) -> Iterator[RowGroup]:
        leaves = opened.leaves(self.stored_columns)
        with reading(data.path, "page headers"), open_file(data.path) as file:
            for index in range(opened.footer.num_row_groups):
                try:
                    with reading(data.path, f"row group {index}, footer"):
                        wanted = self._may_match(data, opened, index)
                        size = decoded_size(opened.group(index, leaves), leaves, file) if wanted else None
                except CorruptInput as error:
                    if self.on_error == "raise":
                        raise
                    rows = DecodedSize(opened.footer.row_group(index).num_rows, 0, 0)
                    yield RowGroup(self, data, None, index, rows, learned, beside(data.path, error))
                    continue
                if size is not None:
                    yield RowGroup(self, data, opened, index, size, learned)

    def _may_match(self, data: DataFile, opened: Footer, index: int) -> bool:
        """Whether a row group has rows, and its statistics leave room for some that are wanted."""
        ranges = partial(self._range, data, opened, index)
        return bool(opened.footer.row_group(index).num_rows) and may_match(self.predicates, ranges)

    @property
    def stored_schema(self) -> pa.Schema:
        return pa.schema([self.whole.field(name) for name in self.stored_columns])

    def _origin(self, data: DataFile) -> str:
        if isinstance(self.files, LaterFiles) or data == self.files[0]:
            return ""
        return self.files[0].path

    def _may_hold(self, data: DataFile) -> bool:
        values = {name: value.as_py() for name, value in partition_values(data, self.parts).items()}

        def of_partition(name: str) -> Range:
            value = values.get(name)
            return Range(value, value, int(value is None), 1) if name in values else Range()

        return may_match(self.predicates, of_partition)

    def _range(self, data: DataFile, opened: Footer, index: int, name: str) -> Range:
        return Range() if name in dict(data.partition) else opened.range(index, name)


@dataclass(eq=False, slots=True)
class _Learned:
    """How much larger rows are than their footers say, in one run of a source; shared by all its threads."""

    ratio: float = 1.0
    fill: float = _FILL

    def learn(self, estimated: float, found: int) -> None:
        """Quick to follow a rise, slow to forget it."""
        now, self.fill = found / max(1.0, estimated), _FILL_LEARNED
        self.ratio = now if now > self.ratio else max(0.05, 0.9 * self.ratio + 0.1 * now)


@dataclass(eq=False, slots=True)
class RowGroup:
    """One row group to read; with `trouble` a file that could not be opened and is skipped."""

    source: ParquetSource
    data: DataFile
    opened: Footer | None
    index: int
    size: DecodedSize
    learned: _Learned
    trouble: str = ""
    position: int = field(default=0, init=False)

    @property
    def decoder_bytes(self) -> int:
        return self.size.decoder_bytes + self.source.windows_bytes

    @property
    def place(self) -> str:
        """Where its largest pages are."""
        return f"{self.data.path}, row group {self.index}, column {self.size.largest!r}, whose pages are decoded whole"

    def read(self, batch_bytes: int) -> Batches:
        """Its batches; what cannot be decoded is skipped and told, or raised."""
        if self.opened is None:
            yield RowsFailed(self.data.path, max(1, self.size.rows), self.trouble)
            return
        self.position = 0
        kept = self.source.row_filter
        gathered = Coalesce(0 if kept is None else int(_FILL * batch_bytes))
        trouble: CorruptInput | None = None
        try:
            for batch in self._decode(batch_bytes, kept):
                yield from gathered.push(batch, batch_bytes)
                del batch  # or it would lie beside the next while that is decoded
        except CorruptInput as error:
            if self.source.on_error == "raise":
                raise
            trouble = error
        yield from gathered.finish(batch_bytes)
        if trouble is not None:
            yield RowsFailed(self.data.path, self.size.rows - self.position, beside(self.data.path, trouble))

    def _decode(self, batch_bytes: int, kept: RowFilter | None) -> Iterator[pa.RecordBatch]:
        """Steps of as many rows as weigh about a batch; when rows prove larger, from here on by smaller steps."""
        while self.position < self.size.rows:
            step = self._step(batch_bytes)
            for batch in self._steps(step):
                found, made = batch.nbytes, self._finish(batch, kept)
                if made.num_rows:
                    found = max(found, made.nbytes * batch.num_rows // made.num_rows)
                self.position += batch.num_rows
                self.learned.learn(self.size.decoded_bytes * batch.num_rows / self.size.rows, found)
                del batch  # or it would lie beside the next while that is decoded
                yield from pieces(made, batch_bytes)
                del made
                if found > 2 * batch_bytes and step > 1:
                    break
            else:
                return

    def _step(self, batch_bytes: int) -> int:
        """Equal steps, or a small batch would be left at the end; fewer rows where fewer are wanted."""
        most = self.size.rows_in(self.learned.fill * batch_bytes / self.learned.ratio)
        rows = -(-self.size.rows // -(-self.size.rows // most))
        limit = self.source.limit if self.source.limit and not self.source.predicates else _ROWS_MAX
        return min(rows, max(1, limit), _ROWS_MAX)

    def _steps(self, step: int) -> Iterator[pa.RecordBatch]:
        """Batches of at most `step` rows from `position` on; rows before it are decoded again and dropped."""
        assert self.opened is not None, "a file that was not opened has no steps"
        skip = self.position
        where = f"row group {self.index}"
        file = open_parquet(self.data.path, metadata=self.opened.footer, buffer_size=BUFFER_BYTES)
        with file:
            batches = file.iter_batches(
                batch_size=step, row_groups=[self.index], columns=list(self.source.stored_columns), use_threads=False
            )
            while True:
                with reading(self.data.path, where):
                    batch = next(batches, None)
                    if batch is None:
                        return
                    before = min(skip, batch.num_rows)
                    skip -= before
                if before < batch.num_rows:
                    yield batch.slice(before) if before else batch
                del batch  # or it would lie beside the next while that is decoded

    def _finish(self, batch: pa.RecordBatch, kept: RowFilter | None) -> pa.RecordBatch:
        """The rows of `batch` that are wanted, checked, decoded, and with the columns of its folders."""
        with reading(self.data.path, f"row group {self.index}"):
            if kept is not None:
                batch = kept.keep(batch, trusted=self.source.trusted)
            if not self.source.trusted:
                batch.validate(full=True)
            stored = conform(batch, self.source.stored_schema)
        values = partition_values(self.data, self.source.parts)
        if not any(name in values for name in self.source.columns):
            return stored
        columns = [
            pa.repeat(values[name], batch.num_rows) if name in values else stored.column(name)
            for name in self.source.columns
        ]
        return pa.RecordBatch.from_arrays(columns, schema=self.source.schema)
