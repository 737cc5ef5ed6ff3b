"""Files: paths that lead nowhere, and Parquet and Arrow files that are not what they say."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq

import brim
from brim import col

from .table import Place, fails, keeps

N = pa.schema([("n", pa.int64())])


def parquet(**columns: object) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, compression="none", use_dictionary=False)
    return sink.getvalue()


def arrow(batch: pa.RecordBatch, *, stream: bool = False) -> bytes:
    sink = io.BytesIO()
    opened = pa.ipc.new_stream if stream else pa.ipc.new_file
    with opened(sink, batch.schema) as writer:
        for _ in range(3):
            writer.write_batch(batch)
    return sink.getvalue()


# Paths


@fails(
    "Paths", "a file that is not there", brim.ObjectMissing, r"nowhere\.parquet: read_parquet: there is no such file"
)
def missing_file(at: Place):
    return brim.read_parquet(at.path("nowhere.parquet"))


@fails(
    "Paths", "a folder with no file of the format", brim.PlanError, r"read_csv: no \.csv or \.tsv file under .*empty"
)
def folder_without_files(at: Place):
    at.file("empty/notes.txt", "hello")
    return brim.read_csv(at.path("empty"))


@fails("Paths", "a glob that matches nothing", brim.PlanError, r"read_json: no file matches .*\*\.jsonl")
def glob_without_files(at: Place):
    return brim.read_json(str(at.path("*.jsonl")))


@fails("Paths", "an empty path", brim.PlanError, "read_parquet: the path is empty")
def empty_path(at: Place):
    return brim.read_parquet("")


@fails("Paths", "a scheme that a reader does not take", brim.PlanError, "read_csv takes local paths .*not gopher://")
def unknown_scheme(at: Place):
    return brim.read_csv("gopher://example.org/a.csv")


@fails("Paths", "a file that is gone when it is read", brim.ObjectMissing, r"read_csv-1.*n\.csv: there is no such file")
def vanished_file(at: Place):
    path = at.file("n.csv", "n\n1\n")
    pipeline = brim.read_csv(path)
    path.unlink()
    return pipeline


@fails("Paths", "a column that no file has", brim.UnknownColumn, "no column 'prize' among .*did you mean 'price'")
def unknown_source_column(at: Place):
    return brim.read_parquet(at.file("a.parquet", parquet(price=[1])), columns=["prize"])


# Parquet


@fails("Parquet", "an empty file", brim.CorruptInput, r"a\.parquet, footer: .*(0 bytes|too small)")
def empty_parquet(at: Place):
    return brim.read_parquet(at.file("a.parquet", b""))


@fails("Parquet", "bytes that are no Parquet", brim.CorruptInput, r"a\.parquet, footer: .*magic bytes")
def garbage_parquet(at: Place):
    return brim.read_parquet(at.file("a.parquet", b"<html>not here</html>" * 50))


@fails("Parquet", "a file cut off at its end, so without its footer", brim.CorruptInput, r"a\.parquet, footer")
def parquet_without_footer(at: Place):
    return brim.read_parquet(at.file("a.parquet", parquet(n=list(range(1000)))[:-30]))


@fails(
    "Parquet",
    "a file cut off in a page, the footer whole",
    brim.CorruptInput,
    r"a\.parquet, (row group 0|page headers)",
)
def parquet_cut_in_page(at: Place):
    data = parquet(n=list(range(1000)))
    return brim.read_parquet(at.file("a.parquet", data[:2000] + data[-600:]))


@fails("Parquet", "flipped bits in a page of text", brim.CorruptInput, r"a\.parquet, row group 0: .*(UTF8|UTF-8)")
def parquet_flipped_text(at: Place):
    data = bytearray(parquet(t=["plain words"] * 100))
    where = data.index(b"plain words", 400)
    data[where : where + 4] = bytes(byte ^ 0x80 for byte in data[where : where + 4])
    return brim.read_parquet(at.file("a.parquet", bytes(data)))


@fails("Parquet", "flipped bits in a length inside a page", brim.CorruptInput, r"a\.parquet, row group 0: ")
def parquet_flipped_length(at: Place):
    data = bytearray(parquet(t=["plain words"] * 100))
    where = data.index(b"plain words", 400)
    data[where - 1] ^= 0x7F
    return brim.read_parquet(at.file("a.parquet", bytes(data)))


@fails(
    "Parquet",
    "a footer that contradicts itself (of which pyarrow alone would end the process)",
    brim.CorruptInput,
    r"a\.parquet, row group 0, footer: Definition level histogram size mismatch",
)
def parquet_footer_contradicts(at: Place):
    data = parquet(l=[[1]] * 10)
    start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    four_levels, three_levels = b"\x46\x00\x00\x00\x14", b"\x36\x00\x00\x14"
    footer = data[start:-8].replace(four_levels, three_levels)
    return brim.read_parquet(at.file("a.parquet", data[:start] + footer + len(footer).to_bytes(4, "little") + b"PAR1"))


@fails(
    "Parquet",
    "a second file that lacks a column",
    brim.SchemaMismatch,
    r"b\.parquet, column 'm': expected int64 as in .*a\.parquet",
)
def parquet_lacks_column(at: Place):
    at.file("a.parquet", parquet(n=[1], m=[1]))
    at.file("b.parquet", parquet(n=[2]))
    return brim.read_parquet(at.folder)


@fails(
    "Parquet",
    "a second file with another type",
    brim.SchemaMismatch,
    r"b\.parquet, column 'n': expected int64 .*found string",
)
def parquet_other_type(at: Place):
    at.file("a.parquet", parquet(n=[1]))
    at.file("b.parquet", parquet(n=["two"]))
    return brim.read_parquet(at.folder)


@fails(
    "Parquet",
    "a type that differs in the last of many files",
    brim.SchemaMismatch,
    r"read_parquet-1.*19\.parquet, column 'n'",
)
def parquet_other_type_late(at: Place):
    for number in range(20):
        at.file(f"{number:02}.parquet", parquet(n=[number] if number < 19 else ["x"]))
    return brim.read_parquet(at.folder)


@keeps(
    "Parquet",
    'files that cannot be read among others, with `on_error="skip"`',
    [1, 2, 5],
    failed=1,
    says=r"c\.parquet: footer",
)
def parquet_skipped(at: Place):
    at.file("a.parquet", parquet(n=[1, 2]))
    at.file("c.parquet", b"nonsense" * 20)
    at.file("d.parquet", parquet(n=[5]))
    return brim.read_parquet(at.folder, on_error="skip")


# Arrow


@fails("Arrow IPC", "an empty file", brim.CorruptInput, r"a\.arrow, ")
def empty_arrow(at: Place):
    return brim.read_arrow(at.file("a.arrow", b""))


@fails("Arrow IPC", "bytes that are no Arrow", brim.CorruptInput, r"a\.arrow, schema: ")
def garbage_arrow(at: Place):
    return brim.read_arrow(at.file("a.arrow", b"<html>not here</html>" * 50))


@fails("Arrow IPC", "a stream cut off in a batch", brim.CorruptInput, r"read_arrow-1.*a\.arrow, batch \d: ")
def arrow_stream_cut(at: Place):
    data = arrow(pa.record_batch({"n": list(range(1000))}), stream=True)
    return brim.read_arrow(at.file("a.arrow", data[: len(data) * 2 // 3]))


@fails("Arrow IPC", "a file cut off, so without its footer", brim.CorruptInput, r"a\.arrow, schema: ")
def arrow_file_cut(at: Place):
    data = arrow(pa.record_batch({"n": list(range(1000))}))
    return brim.read_arrow(at.file("a.arrow", data[:-100]))


def bad_offsets() -> pa.RecordBatch:
    offsets = pa.array([0, 1 << 30, 4], pa.int32())
    text = pa.StringArray.from_buffers(2, offsets.buffers()[1], pa.py_buffer(b"text"))
    return pa.record_batch([text], names=["t"])


@fails("Arrow IPC", "text whose offsets point outside its data", brim.CorruptInput, r"a\.arrow, batch 0: .*offset")
def arrow_bad_offsets(at: Place):
    return brim.read_arrow(at.file("a.arrow", arrow(bad_offsets(), stream=True)))


@keeps("Arrow IPC", 'the same beside a good file, with `on_error="skip"`', [1, 2], failed=1, says=r"b\.arrow: batch 0")
def arrow_bad_offsets_skipped(at: Place):
    at.file("a.arrow", arrow(pa.record_batch({"t": ["1"]}).slice(0, 0), stream=True))
    at.file("b.arrow", arrow(bad_offsets(), stream=True))
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, pa.schema([("t", pa.string())])) as writer:
        writer.write_batch(pa.record_batch({"t": ["1", "2"]}))
    at.file("c.arrow", sink.getvalue())
    return brim.read_arrow(at.folder, on_error="skip").select(col("t").cast(pa.int64()))
