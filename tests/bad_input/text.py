"""Text: JSON lines, CSV and plain text that are not what they say, or are hostile."""

from __future__ import annotations

import json

import pyarrow as pa

import brim
from brim import col

from .files import N
from .table import Place, fails, keeps

DEEP = "[" * 100_000 + "]" * 100_000
LATE = 300_000  # lines, which are more than what is sampled


# JSON


@fails(
    "JSON lines",
    "an empty file, without `schema=`",
    brim.SchemaMismatch,
    r"a\.jsonl: expected at least one row .*schema=",
)
def empty_json(at: Place):
    return brim.read_json(at.file("a.jsonl", ""))


@keeps("JSON lines", "an empty file, with `schema=`", [])
def empty_json_with_schema(at: Place):
    return brim.read_json(at.file("a.jsonl", ""), schema=N)


@fails("JSON lines", "the document `null`", brim.CorruptInput, r"a\.jsonl, line 1: a row is an object, not null")
def null_document(at: Place):
    return brim.read_json(at.file("a.jsonl", "null"))


@fails(
    "JSON lines",
    "a line that says `null`",
    brim.CorruptInput,
    r"read_json-1.*a\.jsonl, line 2: a row is an object, not null",
)
def null_line(at: Place):
    return brim.read_json(at.file("a.jsonl", '{"n": 1}\nnull\n{"n": 3}\n'), schema=N)


@keeps(
    "JSON lines",
    'the same with `on_error="skip"`',
    [1, 3],
    failed=1,
    says=r"a\.jsonl: line 2: a row is an object, not null",
)
def null_line_skipped(at: Place):
    return brim.read_json(at.file("a.jsonl", '{"n": 1}\nnull\n{"n": 3}\n'), on_error="skip")


@fails(
    "JSON lines", "a line that is a number", brim.CorruptInput, r"a\.jsonl, line 1: a row is an object, not a number"
)
def scalar_line(at: Place):
    return brim.read_json(at.file("a.jsonl", "42\n"))


@fails(
    "JSON lines",
    "a document that is one list of objects",
    brim.CorruptInput,
    r"line 1: a row is an object, not a list; JSON lines have one object a line",
)
def list_document(at: Place):
    return brim.read_json(at.file("a.json", '[{"n": 1}, {"n": 2}]'))


@fails(
    "JSON lines",
    "a document spread over lines",
    brim.CorruptInput,
    r"a\.json, line 1: .*; a row is an object on one line",
)
def pretty_document(at: Place):
    return brim.read_json(at.file("a.json", json.dumps({"n": 1, "m": 2}, indent=2)))


@fails(
    "JSON lines",
    "lists nested 100,000 deep",
    brim.LimitExceeded,
    r"a\.jsonl, line 1: the depth of JSON is 100,001, the limit is 128",
)
def deep_json(at: Place):
    return brim.read_json(at.file("a.jsonl", f'{{"n": {DEEP}}}\n'))


@keeps("JSON lines", 'the same with `on_error="skip"`', [2], failed=1, says=r"line 1: the depth of JSON is 100,001")
def deep_json_skipped(at: Place):
    return brim.read_json(at.file("a.jsonl", f'{{"n": {DEEP}}}\n{{"n": 2}}\n'), on_error="skip")


@fails("JSON lines", "`NaN`, which JSON does not have", brim.CorruptInput, r"a\.jsonl, line 2: ")
def json_nan(at: Place):
    return brim.read_json(at.file("a.jsonl", '{"x": 1.5}\n{"x": NaN}\n'))


@fails("JSON lines", "a number beyond the range of doubles (`1e400`)", brim.CorruptInput, r"a\.jsonl, line 2: ")
def json_beyond_double(at: Place):
    return brim.read_json(at.file("a.jsonl", '{"x": 1.5}\n{"x": 1e400}\n'), schema=pa.schema([("x", pa.float64())]))


@fails("JSON lines", "an integer beyond 64 bits", brim.CorruptInput, r"a\.jsonl, line 1: column 'n': expected int64")
def json_beyond_int(at: Place):
    return brim.read_json(at.file("a.jsonl", '{"n": 123456789012345678901234567890}\n'), schema=N)


@keeps("JSON lines", "a key twice in one object (the last value counts)", [2])
def json_key_twice(at: Place):
    return brim.read_json(at.file("a.jsonl", '{"n": 1, "n": 2}\n'))


@fails("JSON lines", "half of a surrogate pair", brim.CorruptInput, r"a\.jsonl, line 1: .*surrogate")
def json_surrogate(at: Place):
    return brim.read_json(at.file("a.jsonl", '{"t": "\\ud800"}\n'))


@fails("JSON lines", "UTF-16", brim.CorruptInput, r"a\.jsonl, line 1: UTF-16; convert the file to UTF-8")
def json_utf16(at: Place):
    return brim.read_json(at.file("a.jsonl", '{"n": 1}\n'.encode("utf-16")))


@keeps("JSON lines", "a byte order mark of UTF-8 (left out)", [1])
def json_bom(at: Place):
    return brim.read_json(at.file("a.jsonl", '{"n": 1}\n'.encode("utf-8-sig")))


@fails(
    "JSON lines",
    "new keys in every line",
    brim.LimitExceeded,
    r"a\.jsonl: the number of columns.* is 10,001, the limit is 10,000",
)
def json_key_explosion(at: Place):
    lines = (json.dumps({f"key_{line}_{i}": i for i in range(100)}) for line in range(200))
    return brim.read_json(at.file("a.jsonl", "\n".join(lines)))


@fails(
    "JSON lines",
    "a line of 65 MiB",
    brim.RowTooLarge,
    r"a\.jsonl, line 2: one row needs [\d,]+ bytes, .*; raise `memory`",
)
def json_long_line(at: Place):
    path = at.file("a.jsonl", '{"n": 1}\n{"n": "')
    with path.open("ab") as file:
        file.truncate(65 << 20)
    return brim.read_json(path, schema=N)


@fails(
    "JSON lines",
    "another type, late in the file",
    brim.CorruptInput,
    r"read_json-1.*line 300,?001: column 'n': expected int64, found string",
)
def json_late_type(at: Place):
    return brim.read_json(at.file("a.jsonl", '{"n": 12345}     \n' * LATE + '{"n": "x"}\n'))


@keeps("JSON lines", 'the same with `on_error="skip"`', [LATE], failed=1, says=r"a\.jsonl: line 300001: column 'n'")
def json_late_type_skipped(at: Place):
    path = at.file("a.jsonl", '{"n": 12345}     \n' * LATE + '{"n": "x"}\n')
    return brim.read_json(path, on_error="skip").agg(col("n").count())


@fails("JSON lines", "a line that ends too early", brim.CorruptInput, r"a\.jsonl, line 2: ")
def json_cut_line(at: Place):
    return brim.read_json(at.file("a.jsonl", '{"n": 1}\n{"n": '))


@fails(
    "JSON lines", "bytes that are not UTF-8", brim.CorruptInput, r"a\.jsonl, line 2: invalid UTF-8; convert the file"
)
def json_latin(at: Place):
    return brim.read_json(at.file("a.jsonl", b'{"t": "a"}\n{"t": "caf\xe9"}\n'))


# CSV


@fails("CSV", "an empty file", brim.CorruptInput, r"a\.csv, line 1: there is nothing in it, not even a header")
def empty_csv(at: Place):
    return brim.read_csv(at.file("a.csv", ""))


@keeps("CSV", "a header and nothing else", [])
def header_only(at: Place):
    return brim.read_csv(at.file("a.csv", "n,m\n"))


@fails(
    "CSV", "bytes that are not UTF-8", brim.CorruptInput, r"a\.csv, line 3: invalid UTF-8; convert the file to UTF-8"
)
def csv_latin(at: Place):
    return brim.read_csv(at.file("a.csv", b"t\nplain\ncaf\xe9\n"))


@fails("CSV", "UTF-16", brim.CorruptInput, r"a\.csv, line 1: UTF-16; convert the file to UTF-8")
def csv_utf16(at: Place):
    return brim.read_csv(at.file("a.csv", "n\n1\n".encode("utf-16")))


@fails("CSV", "a row with too few values", brim.CorruptInput, r"a\.csv, row 3: Expected 2 columns, got 1")
def csv_ragged(at: Place):
    return brim.read_csv(at.file("a.csv", "n,m\n1,2\n3\n4,5\n"))


@keeps("CSV", 'the same with `on_error="skip"`', [1, 4], failed=1, says=r"a\.csv: row 3: 1 values instead of 2")
def csv_ragged_skipped(at: Place):
    return brim.read_csv(at.file("a.csv", "n,m\n1,2\n3\n4,5\n"), on_error="skip")


@fails("CSV", "a zero byte", brim.CorruptInput, r"a\.csv, line 3: a zero byte")
def csv_zero_byte(at: Place):
    return brim.read_csv(at.file("a.csv", b"t\na\nb\0b\n"))


@fails(
    "CSV",
    "a quote that is never closed",
    brim.CorruptInput,
    r"a\.csv, line 3: a quoted value begins here and does not end",
)
def csv_open_quote(at: Place):
    return brim.read_csv(at.file("a.csv", 't,n\na,1\n"b,2\nc,3\n'))


@fails("CSV", "100,000 columns", brim.LimitExceeded, r"a\.csv: the number of columns is 100,000, the limit is 10,000")
def csv_wide(at: Place):
    names = ",".join(f"c{i}" for i in range(100_000))
    return brim.read_csv(at.file("a.csv", f"{names}\n{',' * 99_999}\n"))


@fails(
    "CSV", "a column's name twice", brim.PlanError, r"a\.csv: more than one column is called \['n'\]; use header=False"
)
def csv_name_twice(at: Place):
    return brim.read_csv(at.file("a.csv", "n,n\n1,2\n"))


@fails(
    "CSV",
    "another type, late in the file",
    brim.CorruptInput,
    r"read_csv-1.*a\.csv, row 300002, column 'n': .*int64.*'x'; say another type in schema=",
)
def csv_late_type(at: Place):
    return brim.read_csv(at.file("a.csv", "n\n" + "12345\n" * LATE + "x\n"))


@fails("CSV", "a row of 129 MiB", brim.LimitExceeded, r"a\.csv: the size of a row is [\d,]+, the limit is 134,217,728")
def csv_long_row(at: Place):
    path = at.file("a.csv", "t\na\n")
    with path.open("ab") as file:
        for _ in range(129):
            file.write(b"x" * (1 << 20))
    return brim.read_csv(path)


@fails(
    "CSV", "text where `schema=` says numbers", brim.CorruptInput, r"a\.csv, row 3, column 'n': .*invalid value 'many'"
)
def csv_not_schema(at: Place):
    return brim.read_csv(at.file("a.csv", "n\n1\nmany\n"), schema=N)


@fails(
    "CSV",
    "a file without a column that `schema=` has",
    brim.SchemaMismatch,
    r"a\.csv, column 'n': expected a column of this name",
)
def csv_lacks_column(at: Place):
    return brim.read_csv(at.file("a.csv", "m\n1\n"), schema=N)


# Text


@fails("Text", "text in another encoding", brim.CorruptInput, r"a\.txt, line 2: .*(UTF-8|utf-8)")
def text_latin(at: Place):
    return brim.read_text(at.file("a.txt", b"plain\ncaf\xe9\n"))


@keeps(
    "Text", 'the same with `on_error="skip"`', ["plain", "more"], failed=1, says=r"a\.txt: line 2: this is not utf-8"
)
def text_latin_skipped(at: Place):
    return brim.read_text(at.file("a.txt", b"plain\ncaf\xe9\nmore\n"), on_error="skip")


@fails("Text", "an encoding that does not exist", brim.PlanError, "read_text: there is no encoding 'utf-9'")
def unknown_encoding(at: Place):
    return brim.read_text(at.file("a.txt", "x"), encoding="utf-9")


@fails(
    "Text",
    "a line of 129 MiB",
    brim.LimitExceeded,
    r"a\.txt, line 2: the length of a line is [\d,]+, the limit is 134,217,728",
    memory="6GiB",
)
def text_long_line(at: Place):
    path = at.file("a.txt", "short\n")
    with path.open("ab") as file:
        file.truncate(129 << 20)
    return brim.read_text(path)


@keeps("Text", "an empty file", [])
def empty_text(at: Place):
    return brim.read_text(at.file("a.txt", ""))
