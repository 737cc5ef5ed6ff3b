"""Row groups: what a row group decodes to, told from its footer and its page headers before it is decoded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO

from brim.io.object_stores.ranged_file import RangedFile
from brim.io.parquet.page_headers import DICTIONARY_PAGE, Page, read_pages
from brim.sizes import KIB, MIB

BUFFER_BYTES = 64 * KIB  # what the file is read by; a page is read whole whatever this is
PAGE_BYTES = MIB  # the page size of most writers, where nothing is known

_WIDTHS = {"BOOLEAN": 1, "INT32": 4, "INT64": 8, "INT96": 8, "FLOAT": 4, "DOUBLE": 8}
_DENSE = {"RLE_DICTIONARY", "PLAIN_DICTIONARY", "DELTA_BYTE_ARRAY"}
_OFFSET_BYTES = 4
_SMALL_CHUNK = 256 * KIB
_SAMPLED = 2  # in an object store each page header is a request: a dictionary and a page, or two pages, speak for all


@dataclass(frozen=True, slots=True)
class DecodedSize:
    """Estimates for some columns of a row group.

    Attributes:
        rows: exact.
        decoded_bytes: of all rows as Arrow arrays.
        decoder_bytes: what decoding holds beside a batch: a page of each column, its dictionary, its buffer, and a row
            that is larger than a page usually is.
        largest: the column that needs the most of it.
    """

    rows: int
    decoded_bytes: int
    decoder_bytes: int
    largest: str = ""

    def rows_in(self, size: float) -> int:
        """How many rows weigh about `size` bytes, at least one."""
        return max(1, int(size * self.rows / max(1, self.decoded_bytes)))


def decoded_size(group: Any, leaves: Iterable[int], file: BinaryIO | None = None) -> DecodedSize:
    """The size of the columns `leaves` (indices) of `group`, a `pyarrow.parquet.RowGroupMetaData`.

    With `file` the page headers are read, which makes the estimate of the decoder's bytes exact.
    """
    decoded = 0
    decoders: dict[str, int] = {}
    for leaf in leaves:
        chunk = group.column(leaf)
        pages = _pages(chunk, file)
        decoded += _decoded_bytes(chunk, pages)
        decoders[chunk.path_in_schema] = BUFFER_BYTES + _chunk_decoder_bytes(chunk, pages)
    return DecodedSize(
        group.num_rows, decoded, sum(decoders.values()), max(decoders, key=decoders.__getitem__, default="")
    )


def _pages(chunk: Any, file: BinaryIO | None) -> list[Page]:
    """The chunk's pages; none where they are not known or so small that nobody asks."""
    if file is None or chunk.total_uncompressed_size <= _SMALL_CHUNK:
        return []
    start = min(filter(None, (chunk.data_page_offset, chunk.dictionary_page_offset)), default=0)
    try:
        pages = read_pages(file, start, start + chunk.total_compressed_size)
        return list(islice(pages, _SAMPLED) if isinstance(file, RangedFile) else pages)
    except (ValueError, IndexError, OSError):
        return []  # the decoder says what is wrong, when it comes to that


def _chunk_decoder_bytes(chunk: Any, pages: list[Page]) -> int:
    if not pages:
        return int(chunk.total_compressed_size + chunk.total_uncompressed_size)
    dictionary = max((page.uncompressed_bytes for page in pages if page.kind == DICTIONARY_PAGE), default=0)
    compressed = max(page.compressed_bytes for page in pages)
    decompressed = max(page.uncompressed_bytes for page in pages)  # into a buffer that keeps its size
    row = max(page.uncompressed_bytes // max(1, page.values) for page in pages)
    return dictionary + compressed + decompressed + (row if row > PAGE_BYTES else 0)


def _decoded_bytes(chunk: Any, pages: list[Page]) -> int:
    """Fixed widths are exact; of a dictionary the mean length of its entries is taken."""
    width = _WIDTHS.get(chunk.physical_type)
    if width is not None:
        return int(chunk.num_values * width)
    plain = chunk.total_uncompressed_size + _OFFSET_BYTES * chunk.num_values
    if not _DENSE & set(chunk.encodings):
        return int(plain)
    means = [page.uncompressed_bytes / page.values for page in pages if page.kind == DICTIONARY_PAGE and page.values]
    return int(max(plain, chunk.num_values * (max(means, default=0.0) + _OFFSET_BYTES)))
