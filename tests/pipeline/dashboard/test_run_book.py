"""What events say of runs."""

from __future__ import annotations

from brim.pipeline.dashboard.run_book import KEPT, KEPT_S, RunBook


def _told(*events):
    book = RunBook()
    for at, (event, fields) in enumerate(events):
        book.note(float(at), event, {"run_id": "r", **fields})
    return book


def test_a_run_is_under_way_until_it_stops():
    begun = ("run.start", {"stages": ["scan-1", "filter-2"]})
    assert [page.stages for page in _told(begun).live.values()] == [("scan-1", "filter-2")]
    book = _told(begun, ("run.stop", {"outcome": "StageFailed", "rows": 12}))
    (page,) = book.finished
    assert not book.live
    assert (page.began, page.ended, page.outcome, page.rows) == (0.0, 1.0, "StageFailed", 12)


def test_counts_are_kept_by_operator():
    book = _told(
        ("run.start", {"stages": ["a", "b"]}),
        ("download.retry", {"operator_id": "a", "count": 3}),
        ("row.error", {"operator_id": "a", "rows": 5}),
        ("spill.write", {"operator_id": "b", "bytes": 100}),
        ("spill.write", {"operator_id": "b", "bytes": 50}),
        ("spill.read", {"operator_id": "b", "bytes": 7}),
        ("worker.restart", {"function": "embed", "count": 2}),
        ("worker.restart", {"function": "embed"}),
    )
    page = book.live["r"]
    assert page.counts == {"a": {"retries": 3, "failed_rows": 5}, "b": {"spilled_bytes": 150, "read_bytes": 7}}
    assert page.total("spilled_bytes") == 150
    assert book.restarts["embed"] == 3


def test_events_of_runs_that_were_not_seen_to_begin_are_let_pass():
    book = _told(("row.error", {"operator_id": "a", "rows": 5}), ("run.stop", {"outcome": "ok"}))
    assert not book.live
    assert not book.finished


def test_what_ended_long_ago_is_forgotten_and_the_rest_is_bounded():
    book = RunBook()
    for number in range(KEPT + 20):
        book.note(float(number), "run.start", {"run_id": str(number), "stages": []})
        book.note(float(number), "run.stop", {"run_id": str(number), "outcome": "ok"})
    assert len(book.finished) == KEPT
    book.forget(KEPT + 9.5 + KEPT_S)
    assert [page.id for page in book.finished] == [str(number) for number in range(KEPT + 10, KEPT + 20)]
