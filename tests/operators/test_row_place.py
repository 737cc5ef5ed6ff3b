"""Row place: an error names the row of the stage's input, wherever batches were cut."""

from __future__ import annotations

import pickle

import pyarrow as pa
import pytest
from kit import FakeStage, InlineThreads, RealThreads, run_operator

from brim.errors import CorruptInput, LimitExceeded, RowTooLarge
from brim.operators.codecs import compress
from brim.operators.decompress import DecompressColumn
from brim.operators.row_place import in_input, row_of_batch
from brim.operators.transform import Transform

SCHEMA = pa.schema([("data", pa.large_binary())])


@pytest.mark.parametrize("threads", [InlineThreads(count=1), RealThreads(count=3)], ids=["one by one", "window"])
@pytest.mark.parametrize(
    ("value", "error"),
    [(b"nonsense", CorruptInput), (compress("gzip", bytes(2000)), LimitExceeded)],
    ids=["bad", "large"],
)
def test_a_bad_row_of_a_later_batch_is_named_by_its_place_in_the_input(threads, value, error):
    good = compress("gzip", b"good")
    batches = [pa.record_batch({"data": pa.array([good] * 10)}) for _ in range(3)]
    batches.append(pa.record_batch({"data": pa.array([good, good, value])}))
    operator = Transform(lambda: DecompressColumn("gzip", "data", "data", 1000, SCHEMA), stateless=True)
    with pytest.raises((error, BaseExceptionGroup)) as failed:
        run_operator(operator, batches, stage=FakeStage(threads=threads))
    found = failed.value
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    assert type(found) is error
    assert "data, row 32 of its input: " in str(found)
    assert isinstance(found.__cause__, ValueError | LimitExceeded)


def test_what_names_no_row_stays_as_it_is():
    error = in_input(CorruptInput("a.csv", "line 3", "no text"), 100)
    assert str(error) == "a.csv, line 3: no text"
    limit = in_input(LimitExceeded("a size", 5, 4, f"column, {row_of_batch(0)}"), 7)
    assert str(pickle.loads(pickle.dumps(limit))) == "column, row 7 of its input: a size is 5, the limit is 4"
    large = in_input(RowTooLarge(row_of_batch(2), 500, 400), 40)
    assert "row 42 of its input: one row needs 500 bytes" in str(pickle.loads(pickle.dumps(large)))
