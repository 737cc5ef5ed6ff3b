"""Who waits for whom: from a blocked stage to the root of the wait, on runs that are really blocked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import anyio
import pytest
import simulation as sim
from hypothesis import given, settings
from hypothesis import strategies as st
from kit import InlineThreads
from virtual_loop import run_virtual

from brim.events import Resource, Waits
from brim.pipeline.chain import chain_from, chain_of_consumer


class Several(InlineThreads):
    """Inline threads that are said to be so many."""

    def __init__(self, count):
        self._count = count

    @property
    def count(self):
        return self._count


@dataclass(frozen=True)
class Outside:
    """Takes a batch, then waits for the outside; or computes, where `resource` is None."""

    resource: Any

    def floor_bytes(self, batch_bytes):
        return batch_bytes

    def window_bytes(self, batch_bytes):
        return 0

    async def run(self, inboxes, outbox, stage):
        async for batch in inboxes[0]:
            if self.resource is None:
                await stage.clock.sleep(10)
            else:
                with stage.waiting(self.resource):
                    await stage.clock.sleep(10)
            await outbox.send(batch)


def _seen(tree, at=5.0, consumer_pause=0.0, **shares):
    """The chains of every stage that lives `at` seconds into the run."""
    runs, chains = [], {}

    async def main():
        async def look():
            await anyio.sleep(at)
            (run,) = runs
            for index, state in enumerate(run.states):
                if state.clock.ended is None:
                    chain = chain_from(run, index)
                    chains[state.id] = (chain.ids, str(chain.reason))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(look)
            await sim.simulate(tree, **shares, consumer_pause=consumer_pause, on_run=runs.append)

    run_virtual(main)
    return chains


SOURCE = sim.Source((30,) * 20)


def test_a_slow_consumer_is_the_root_of_all_the_room_upstream_waits_for():
    chains = _seen(sim.sequence([SOURCE, sim.kernel(sim.Odd), sim.kernel(sim.Odd)]), consumer_pause=9)
    assert chains["Source-0"] == (("Source-0", "Transform-1", "Transform-2", "consumer"), "consumer")
    assert chains["Transform-2"] == (("Transform-2", "consumer"), "consumer")


@pytest.mark.parametrize(
    ("resource", "reason"),
    [(None, Resource.CPU), (Resource.CONNECTIONS, Resource.CONNECTIONS), (Resource.WORKERS, Resource.WORKERS)],
)
def test_a_stage_that_is_busy_or_waits_for_the_outside_is_the_root_on_both_sides(resource, reason):
    chains = _seen(sim.sequence([SOURCE, sim.kernel(sim.Odd), Outside(resource), sim.kernel(sim.Odd)]))
    assert chains["Source-0"] == (("Source-0", "Transform-1", "Outside-2"), reason)
    assert chains["Transform-3"] == (("Transform-3", "Outside-2"), reason)
    assert chains["Outside-2"] == (("Outside-2",), reason)


def test_a_slow_source_is_what_everybody_downstream_waits_for():
    chains = _seen(sim.sequence([sim.Source((30,) * 3, 9.0), sim.kernel(sim.Odd), sim.kernel(sim.Odd)]))
    assert chains["Transform-2"] == (("Transform-2", "Transform-1", "Source-0"), "no_input")


def test_who_waits_for_memory_is_the_root():
    @dataclass(frozen=True)
    class Greedy(Outside):
        async def run(self, inboxes, outbox, stage):
            with await stage.memory.work(10**9):
                await stage.clock.sleep(10)

    tree = sim.Tree(sim.OneAfterAnother(), tuple(sim.Tree(Greedy(None)) for _ in range(3)))
    chains = _seen(tree, pool=1_000, oversize=0)
    assert sorted(reason for _, reason in chains.values()) == ["cpu", "cpu", "cpu", "memory"]


def test_an_input_that_waits_its_turn_leads_through_its_reader():
    slow = sim.Tree(sim.Source((30,) * 3, 9.0))
    chains = _seen(sim.Tree(sim.OneAfterAnother(), (slow, sim.Tree(SOURCE))))
    assert chains["Source-1"][0][:2] == ("Source-1", "OneAfterAnother-2")
    assert chains["Source-1"][0][-1] == "Source-0"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([None, Resource.CONNECTIONS, "odd"]), max_size=5),
    st.sampled_from([0.0, 9.0]),
    st.sampled_from([0.0, 9.0]),
    st.sampled_from([0.5, 5.0, 17.0]),
)
def test_a_walk_ends_at_one_that_can_move_by_itself_and_meets_nobody_twice(stages, pause, consumer_pause, at):
    operators = [sim.kernel(sim.Odd) if kind == "odd" else Outside(kind) for kind in stages]
    runs = []
    tree = sim.sequence([sim.Source((30,) * 4, pause), *operators])

    async def main():
        async def look():
            await anyio.sleep(at)
            (run,) = runs
            states = {state.id: state.clock.state for state in run.states if state.clock.ended is None}
            for index, state in enumerate(run.states):
                if state.id not in states:
                    continue
                chain = chain_from(run, index)
                assert chain.ids[0] == state.id
                assert len(set(chain.ids)) == len(chain.ids)
                if chain.root in states:
                    assert states[chain.root] not in (Waits.ROOM, Waits.INPUT)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(look)
            await sim.simulate(tree, consumer_pause=consumer_pause, on_run=runs.append)

    run_virtual(main)


@dataclass(frozen=True)
class Beside:
    """Computes, while another of its calls waits for `wanted`: a resource, or more memory than there is."""

    wanted: Any

    def floor_bytes(self, batch_bytes):
        return batch_bytes

    def window_bytes(self, batch_bytes):
        return 0

    async def run(self, inboxes, outbox, stage):
        async def wait():
            if self.wanted == "memory":
                with await stage.memory.work(10**9):
                    await stage.clock.sleep(10)
            else:
                with stage.waiting(self.wanted):
                    await stage.clock.sleep(10)

        async for _ in inboxes[0]:
            held = await stage.memory.work(10**9)  # what is waited for beside
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(wait)
                with stage.working():
                    await stage.clock.sleep(10)
                held.repay()


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ("memory", "memory"),
        (Resource.MEMORY, "memory"),
        (Resource.WORKERS, "workers"),
        (Resource.RATE_LIMIT, "rate_limit"),
        (Resource.THROTTLED, "throttled"),
        (Resource.CONNECTIONS, "cpu"),  # that would not let it compute more
    ],
)
def test_a_stage_that_computes_lacks_what_its_other_calls_wait_for(wanted, reason):
    chains = _seen(sim.sequence([SOURCE, Beside(wanted)]), pool=1_000, oversize=0, threads=Several(2))
    assert chains["Source-0"] == (("Source-0", "Beside-1"), reason)
    assert chains["Beside-1"] == (("Beside-1",), reason)


def test_with_all_threads_computing_more_memory_would_not_help():
    chains = _seen(sim.sequence([SOURCE, Beside("memory")]), pool=1_000, oversize=0, threads=Several(1))
    assert chains["Source-0"] == (("Source-0", "Beside-1"), "cpu")


def test_who_reads_a_run_waits_too():
    chains, runs = [], []

    async def main():
        async def look():
            await anyio.sleep(5)
            chains.append(chain_of_consumer(runs[0]))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(look)
            await sim.simulate(sim.sequence([SOURCE, Outside(Resource.DISK)]), on_run=runs.append)
        chains.append(chain_of_consumer(runs[0]))

    run_virtual(main)
    assert (chains[0].ids, chains[0].reason) == (("consumer", "Outside-1"), Resource.DISK)
    assert chains[1] is None
