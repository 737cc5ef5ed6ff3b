"""A moment of an engine as plain values."""

from __future__ import annotations

from dataclasses import replace

import orjson
from snapshots import engine, run, stage, worker

from brim.pipeline.dashboard.moment import FINISHED, SeenRun, encoded, moment
from brim.pipeline.dashboard.run_book import RunBook
from brim.pipeline.report import Bottleneck


def test_it_says_what_there_is():
    book = RunBook()
    book.note(1.0, "run.start", {"run_id": "r-1", "stages": ["scan-1", "sort-2"]})
    book.note(2.0, "row.error", {"run_id": "r-1", "operator_id": "scan-1", "rows": 4})
    book.note(3.0, "worker.restart", {"function": "embed"})
    now = replace(run(stage("scan-1", rows=10), stage("sort-2", state="ended", inputs=(0,))), run_id="r-1")
    seen = SeenRun(now, book.live["r-1"], Bottleneck("sort-2", "cpu", 0.7, "more cores"))
    said = orjson.loads(encoded(moment(5.0, engine(now, workers=(worker(),)), [seen], book)))
    (told,) = said["runs"]
    assert (told["id"], told["bottleneck"]["operator"], told["bottleneck"]["relief"]) == ("r-1", "sort-2", "more cores")
    assert [one["id"] for one in told["stages"]] == ["scan-1", "sort-2"]
    assert [one["failed_rows"] for one in told["stages"]] == [4, 0]
    assert told["stages"][1]["inputs"] == [0]
    assert said["workers"][0]["restarts"] == 1
    assert sum(said["owners"].values()) == said["ledger_used"]


def test_a_run_whose_events_were_not_heard_is_shown_all_the_same():
    now = run(stage())
    said = moment(5.0, engine(now), [SeenRun(now, None, None)], RunBook())
    assert said["runs"][0]["stages"][0]["retries"] == 0
    assert said["runs"][0]["bottleneck"] is None


def test_the_last_finished_runs_come_first():
    book = RunBook()
    for number in range(FINISHED + 5):
        book.note(float(number), "run.start", {"run_id": str(number), "stages": ["scan-1"]})
        book.note(number + 0.5, "run.stop", {"run_id": str(number), "outcome": "ok", "rows": number})
    finished = moment(99.0, engine(), [], book)["finished"]
    assert len(finished) == FINISHED
    assert (finished[0]["rows"], finished[0]["seconds"], finished[0]["ended"]) == (FINISHED + 4, 0.5, FINISHED + 4.5)
