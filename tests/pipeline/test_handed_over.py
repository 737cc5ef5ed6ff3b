"""What the caller keeps counts as the caller's as long as it lives."""

from __future__ import annotations

import threading

import pyarrow as pa

from brim.pipeline.handed_over import HandedOver


def test_what_is_kept_counts_until_it_is_dropped_in_whatever_thread():
    kept, tables = HandedOver(), [pa.table({"a": [number]}) for number in range(3)]
    for size, table in enumerate(tables, start=1):
        kept.add(table, size)
    del table
    assert kept.held_bytes == 6
    thread = threading.Thread(target=tables.pop)
    thread.start()
    thread.join()
    assert kept.held_bytes == 3
    tables.clear()
    assert kept.held_bytes == 0


def test_an_object_at_the_address_of_one_that_was_dropped_counts_by_itself():
    kept = HandedOver()
    for _ in range(100):
        table = pa.table({"a": [1]})
        kept.add(table, 1)
    assert kept.held_bytes == 1
    del table
    assert kept.held_bytes == 0
    assert not kept._alive
