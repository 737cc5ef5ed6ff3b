import pyarrow as pa
import pytest
from kit import FakeMemory

from brim.operators.downloads.window import DownloadWindow, Lend, Otherwise, Row, Source

SOURCE = Source.of(pa.record_batch({"url": ["a"] * 10}))


def window_of(*wants: int | None) -> tuple[DownloadWindow, list[Row]]:
    window = DownloadWindow(batch_bytes=100)
    rows = [Row(SOURCE, index, "a", want) for index, want in enumerate(wants)]
    window.rows.extend(rows)
    window.wanting = True
    return window, rows


def lend(row: Row, memory: FakeMemory) -> None:
    row.take(memory.try_ahead(row.want))


def test_nobody_gets_anything_before_something_is_known():
    window, _ = window_of(None, None)
    assert window.decide() is None


def test_the_first_row_that_wants_bytes_is_next():
    window, rows = window_of(10, 20)
    assert window.decide() == Lend(rows[0], Otherwise.ASK)
    lend(rows[0], FakeMemory())
    assert window.decide() == Lend(rows[1], Otherwise.ASK)
    lend(rows[1], FakeMemory())
    assert window.decide() is None


def test_a_row_that_overtakes_does_not_wait():
    window, rows = window_of(None, 20)
    assert window.decide() == Lend(rows[1], Otherwise.PAUSE)


def test_the_head_has_the_batch_begun_sent_first():
    window, rows = window_of(0, 20)
    rows[0].finish()
    window.assemble(rows[0])
    assert window.decide() == Lend(rows[1], Otherwise.FLUSH)
    window.release()
    assert window.decide() == Lend(rows[1], Otherwise.ASK)


def test_the_head_takes_bytes_from_the_last_that_has_some():
    window, rows = window_of(None, 20, 30, None)
    memory = FakeMemory()
    lend(rows[1], memory)
    lend(rows[2], memory)
    window.want(rows[0], 10)
    assert window.decide() == Lend(rows[0], Otherwise.EVICT, rows[2])
    rows[2].drop()
    assert window.decide() == Lend(rows[0], Otherwise.EVICT, rows[1])
    rows[1].drop()
    assert window.decide() == Lend(rows[0], Otherwise.ASK)
    assert memory.lent == 0


def test_a_row_that_grows_asks_nobody():
    window, rows = window_of(10)
    lend(rows[0], FakeMemory())
    rows[0].want = 20
    assert window.decide() is None, "it takes what is there, or goes to disk"


def test_growing_keeps_what_is_there_and_repays_the_first_loan():
    memory = FakeMemory()
    row = Row(SOURCE, 0, "a", 4)
    lend(row, memory)
    row.write(0, memoryview(b"ab"))
    row.write(2, memoryview(b"cd"))
    row.want = 10
    lend(row, memory)
    row.write(4, memoryview(b"ef"))
    row.finish()
    assert row.body.to_pybytes() == b"abcdef"
    assert memory.lent == 6, "what is beyond the body was given back"
    row.drop()
    assert memory.lent == 0


def test_bytes_that_arrived_elsewhere_move_to_their_place():
    row = Row(SOURCE, 0, "a", 6)
    lend(row, FakeMemory())
    row.write(0, memoryview(b"abc"))
    row.memory.view[3:6] = b"xyz"
    row.arrived(0, 3)  # a server that knows no ranges began anew
    row.finish()
    assert row.body.to_pybytes() == b"xyz"


@pytest.mark.parametrize(
    ("lengths", "batches"), [([40, 40, 40], [2]), ([90, 90], [1]), ([200, 10], [1]), ([10] * 10, [10])]
)
def test_a_batch_is_begun_until_the_next_row_would_be_too_much(lengths, batches):
    window, rows = window_of(*lengths)
    for row in rows:
        lend(row, FakeMemory())
        row.length = row.want - row.source.row_bytes
        row.finish()
    while (row := window.next_done()) and not window.full_before(row) and not window.full():
        window.assemble(row)
    assert [len(window.assembled)] == batches
