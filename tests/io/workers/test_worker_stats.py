"""How a worker stands, at every step of its life."""

from worker_kit import request, unbegun

from brim.io.workers.worker_stats import WorkerStats, worker_stats


def test_every_number_is_the_workers_own():
    with unbegun(1) as (worker,):
        worker.facts.base_bytes, worker.facts.peak_bytes = 20, 90
        worker.facts.calls, worker.facts.busy_s, worker.memory.held_bytes = 4, 1.5, 30
        assert worker_stats("f", worker) == WorkerStats("f", 1, "idle", 20, 30, 90, 4, 1.5)


def test_a_state_is_what_hinders_the_next_call_most():
    with unbegun(1) as (worker,):

        def state():
            return worker_stats("f", worker).state

        worker.ready = False
        seen = [state()]
        worker.ready = True
        seen.append(state())
        worker.calls.append(request())
        seen.append(state())
        worker.retiring = True
        seen.append(state())
        worker.calls.clear()
        seen.append(state())
        worker.retiring, worker.end_reason = False, "stop"
        seen.append(state())
        worker.ready = False
        seen.append(state())
    assert seen == ["starting", "idle", "busy", "ending", "ending", "ending", "ending"]
