"""The event tap: bounded, and nobody who reads slowly costs anything."""

from __future__ import annotations

import orjson
from hypothesis import given
from hypothesis import strategies as st

from brim.pipeline.dashboard.event_tap import ITEMS_MAX, TEXT_MAX, EventTap
from brim.pipeline.dashboard.moment import encoded, told


def _tap(kept=5):
    return EventTap(kept=kept, now=lambda: 100.0)


def test_a_reader_gets_each_event_once_and_in_order():
    tap = _tap()
    tap.tell("run.start", {"run_id": "a"})
    first, missed = tap.since(0)
    tap.tell("run.stop", {"run_id": "a"})
    then, _ = tap.since(first[-1].number)
    assert [event.event for event in first] == ["run.start"]
    assert [event.event for event in then] == ["run.stop"]
    assert missed == 0
    assert tap.since(2) == ([], 0)


def test_a_reader_of_another_engine_begins_anew():
    tap = _tap()
    tap.tell("run.start", {})
    assert [event.number for event in tap.since(17)[0]] == [1]


@given(kept=st.integers(1, 8), steps=st.lists(st.booleans(), max_size=60))
def test_what_a_reader_gets_and_misses_is_all_there_was(kept, steps):
    """`True` tells an event, `False` lets the reader look."""
    tap, place, got, missed = _tap(kept), 0, [], 0
    for step in [*steps, False]:
        if step:
            tap.tell("batch.resize", {})
            continue
        events, more = tap.since(place)
        assert len(events) <= kept
        got += [event.number for event in events]
        missed += more
        place = events[-1].number if events else place
    assert got == sorted(set(got))
    assert len(got) + missed == tap.last == sum(steps)


def test_an_event_may_come_as_one_dictionary():
    tap = _tap()
    tap({"event": "row.error", "rows": 3})
    (event,), _ = tap.since(0)
    assert (event.event, dict(event.fields), event.at) == ("row.error", {"rows": 3}, 100.0)


def test_long_texts_and_lists_are_cut_and_what_is_no_json_becomes_text():
    tap = _tap()
    tap.tell("worker.output", {"text": "x" * 5 * TEXT_MAX, "chain": ["a"] * 5 * ITEMS_MAX, "what": tap, "none": None})
    ((event,), _) = tap.since(0)
    seen = orjson.loads(encoded(told(event)))
    assert len(seen["text"]) == TEXT_MAX + 1
    assert len(seen["chain"]) == ITEMS_MAX + 1
    assert seen["what"].startswith("EventTap(")
    assert seen["none"] is None


def test_what_the_page_shows_anyway_pushes_nothing_out():
    tap = _tap(kept=1)
    tap.tell("run.start", {})
    tap.tell("run.summary", {"rows": 1})
    assert [event.event for event in tap.since(0)[0]] == ["run.start"]


def test_names_that_are_no_unicode_are_told_all_the_same():
    tap = _tap()
    tap.tell("row.error", {"what": b"caf\xe9.csv".decode(errors="surrogateescape")})
    ((event,), _) = tap.since(0)
    assert b"caf\\udce9.csv" in encoded(told(event))
