import os

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from brim.io.object_stores.ranged_file import MOST_BYTES, WINDOWS_BYTES, RangedFile

DATA = os.urandom(300_000)


class Fetched:
    """What was fetched of `data`."""

    def __init__(self, data):
        self.data = data
        self.ranges = []

    def __call__(self, start, stop):
        assert 0 <= start < stop <= len(self.data)
        self.ranges.append((start, stop))
        return memoryview(self.data)[start:stop]


@given(st.lists(st.tuples(st.integers(0, len(DATA) + 10), st.integers(-1, 200_000)), max_size=30))
def test_reads_in_any_order_give_the_bytes_of_the_object(reads):
    file = RangedFile("a", len(DATA), Fetched(DATA))
    for start, count in reads:
        file.seek(start)
        assert file.read(count) == (DATA[start:] if count < 0 else DATA[start : start + count])
        assert file.tell() == max(start, min(len(DATA), len(DATA) if count < 0 else start + count))


def test_several_places_read_on_hold_windows_within_their_bytes():
    size = 400_000_000
    largest, places = 0, [place * 40_000_000 for place in range(10)]
    file = RangedFile("a", size, lambda start, stop: memoryview(bytes(stop - start)))
    for _ in range(300):
        for index, place in enumerate(places):
            file.seek(place)
            file.read(50_000)
            places[index] += 50_000
        largest = max(largest, sum(len(window.data) for window in file._windows))
    assert largest <= WINDOWS_BYTES // 2


def test_one_place_read_on_takes_few_requests():
    fetched = Fetched(bytes(20_000_000))
    file = RangedFile("a", 20_000_000, fetched)
    while file.read(64 << 10):
        pass
    assert len(fetched.ranges) < 20
    assert max(stop - start for start, stop in fetched.ranges) <= MOST_BYTES
    assert sum(stop - start for start, stop in fetched.ranges) == 20_000_000


def test_arrow_reads_it_as_a_file():
    with pa.PythonFile(RangedFile("a", len(DATA), Fetched(DATA)), "r") as file:
        assert file.size() == len(DATA)
        assert file.read_at(10, 1000) == DATA[1000:1010]
