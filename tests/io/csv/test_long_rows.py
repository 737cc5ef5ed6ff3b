"""Long rows of CSV: measured before they are read, read by themselves, equal to what DuckDB and Python read."""

from __future__ import annotations

import csv
import io

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from kit import FakeMemory, FakeStage, RealThreads, run_operator

from brim.errors import CorruptInput, LimitExceeded, RowTooLarge
from brim.events import RowsFailed
from brim.io.csv.csv_rows import RowScan, row_ends
from brim.io.csv.csv_text import CsvText
from brim.io.csv.read_csv import BLOCK_BYTES, csv_source
from brim.sizes import MIB

LONG = 'a "quote", a comma\r\n and a line end; ' * (BLOCK_BYTES // 20)
SCHEMA = pa.schema([("n", pa.int64()), ("s", pa.string())])


def table_of(source, **options) -> pa.Table:
    return run_operator(source.operator(), stage=FakeStage(**options)).table()


def write(path, rows, header=("n", "s")):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows] if header else rows)
    return path


@pytest.mark.parametrize("long", [LONG, "plain" * BLOCK_BYTES])
def test_long_rows_are_read_wherever_they_are(tmp_path, long):
    short = [[i, f'text, "{i}"'] for i in range(2000)]
    for name, rows in {
        "first": [[0, long], *short],
        "middle": [*short[:7], [1, long], *short],
        "last": [*short, [2, long]],
        "several": [*short, [3, long], [4, long + "x"], *short, [5, long]],
        "only": [[6, long]],
    }.items():
        path = write(tmp_path / f"{name}.csv", rows)
        found = table_of(csv_source(path, schema=SCHEMA))
        assert [[row["n"], row["s"]] for row in found.to_pylist()] == rows, name
        bare = write(tmp_path / f"{name}.bare.csv", rows, header=None)
        assert table_of(csv_source(bare, schema=SCHEMA, header=False)).equals(found)
        assert table_of(csv_source(path, schema=SCHEMA, columns=["n"]))["n"].to_pylist() == [row[0] for row in rows]


def test_quotes_that_are_only_characters_do_not_join_rows(tmp_path):
    (tmp_path / "a.csv").write_text("n,s\n" + '1,5" pipe\n' * 300_000)
    assert table_of(csv_source(tmp_path)).num_rows == 300_000


@given(
    st.lists(
        st.lists(st.sampled_from(["", "a", '"', ",", "\n", "\r\n", "é", 'x"y']), max_size=6), min_size=1, max_size=6
    ),
    st.integers(1, 40),
)
@example([['"']], 1)
@settings(deadline=None, max_examples=200)
def test_row_ends_are_those_of_the_rows_that_were_written(rows, size):
    sink = io.StringIO(newline="")
    writer, places = csv.writer(sink), []
    for row in rows:
        writer.writerow(["v", *("".join(row[i:]) for i in range(2))])
        places.append(len(sink.getvalue().encode()))
    text = sink.getvalue().encode()
    ends = row_ends(",")
    assert ends.whole_rows(text) == len(text)
    cut = text[: places[-1] - 2]
    assert ends.whole_rows(cut) == ([0, *places])[-2]
    scan, at, found = RowScan(ends), 0, None
    while found is None:
        stop = at + size
        while text[:stop].endswith(b'"') and stop < len(text):
            stop += 1
        found = scan.find_end(text[at:stop])
        at, begun = stop, at
    assert begun + found == places[0] - 1  # at the carriage return


def test_a_long_row_is_charged_before_it_is_read_and_others_give_way(tmp_path):
    for number in range(6):
        rows = [[i, f"short {i}"] for i in range(30_000)]
        write(tmp_path / f"{number}.csv", [*rows, [number, LONG], [7, "end"]] if number in (1, 3) else rows)

    class Tight(FakeMemory):
        """Lends what is asked for to who holds nothing, else one loan more at most."""

        def try_ahead(self, size):
            return None if self.lent and self.lent + size > 12 * MIB else self._lend(size)

    memory = Tight()
    source = csv_source(tmp_path)
    stage = FakeStage(memory=memory, threads=RealThreads(3), batch_bytes=256 * 1024)
    found = run_operator(source.operator(), stage=stage).table()
    assert found.num_rows == 6 * 30_000 + 4
    assert [n for n, s in zip(found["n"].to_pylist(), found["s"].to_pylist(), strict=True) if s == LONG] == [1, 3]
    assert memory.peak >= 3 * len(LONG)
    assert memory.lent == 0


def test_what_is_wrong_behind_a_long_row_is_named_by_its_row_in_the_file(tmp_path):
    path = write(tmp_path / "a.csv", [[1, "x"], [2, LONG], [3, "y"], ["four", "z"]])
    with pytest.raises(BaseException) as failed:
        table_of(csv_source(path, schema=SCHEMA))
    assert failed.group_contains(CorruptInput, match="row 5, column 'n'")
    path = write(tmp_path / "b.csv", [[1, "x"], [2, LONG], [3, "y", "more"], [4, "z"]])
    stage = FakeStage()
    found = run_operator(csv_source(path, schema=SCHEMA, on_error="skip").operator(), stage=stage).table()
    assert found["n"].to_pylist() == [1, 2, 4]
    (fact,) = stage.facts
    assert isinstance(fact, RowsFailed)
    assert fact.reason.startswith("row 4: 3 values")


def test_a_long_row_that_never_fits_is_named(tmp_path):
    class Small(FakeMemory):
        async def ahead(self, size):
            raise RowTooLarge("stage-1", size, MIB)

    path = write(tmp_path / "a.csv", [[1, "x"], [2, LONG]])
    with pytest.raises(BaseException) as failed:
        table_of(csv_source(path), memory=Small())
    assert failed.group_contains(RowTooLarge, match=r"a\.csv, row 3: one row needs")


def test_the_limit_of_a_row_holds_without_reading_it_whole(tmp_path):
    path = write(tmp_path / "a.csv", [[1, "x" * 2 * MIB]])
    text = CsvText(str(path), ",", quoting=True)
    assert text.read(BLOCK_BYTES) == b"n,s\r\n"
    assert text.read(BLOCK_BYTES) == b""
    assert text.long
    with pytest.raises(LimitExceeded, match="size of a row"):
        text.measure_row(MIB)
    text.close()
