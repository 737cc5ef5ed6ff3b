"""What a pool tells of its workers: to the stage it serves, and to nobody while it serves none."""

import pytest
from worker_kit import unbegun

from brim.events import WorkerEnded, WorkerMemory, WorkerOutput, WorkerRestarted, WorkerStarted
from brim.io.workers.telling import Telling

CALLS = {
    "ended": ((), WorkerEnded("f", 1, "not used")),
    "restarted": (("SIGSEGV", 3, 0.5), WorkerRestarted("f", 1, "SIGSEGV", 3, 0.5)),
    "memory": (("killed", 90, 2), WorkerMemory("f", 1, "killed", 90, 30, 2)),
    "output": (("hello", 7), WorkerOutput("f", 1, "hello", 7)),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_fact_names_the_function_and_the_process(name):
    arguments, fact = CALLS[name]
    facts = []
    with unbegun(1) as (worker,):
        worker.end_reason, worker.memory.lent_bytes = "not used", 30
        getattr(Telling("f", facts.append), name)(worker, *arguments)
        getattr(Telling("f"), name)(worker, *arguments)
    assert facts == [fact]


def test_a_start_is_told_once_to_the_first_stage_that_is_served():
    first, second = [], []
    with unbegun(1) as (worker,):
        worker.facts.base_bytes, worker.facts.start_s, worker.ready = 20, 0.25, False
        telling = Telling("f", first.append)
        telling.started(worker)
        assert first == [], "it is not ready"
        telling.tell, worker.ready = None, True
        telling.started(worker)
        for told in (first, second):
            telling.tell = told.append
            telling.started(worker)
    assert first == [WorkerStarted("f", 1, 20, 0.25)]
    assert second == []
