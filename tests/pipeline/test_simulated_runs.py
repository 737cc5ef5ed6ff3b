"""Laws of the runtime, over small trees on virtual time: live, bounded, right, and nothing left behind.

Hypothesis draws these, so what breaks is made small; `test_laws.py` draws many more, of more kinds.
"""

from __future__ import annotations

import anyio
import pytest
import simulation as sim
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from virtual_loop import run_virtual

from brim.errors import StageFailed

sizes = st.lists(
    st.one_of(st.integers(1, 60), st.integers(1, 60), st.just(0), st.integers(-9_000, -1_200)), max_size=14
).map(tuple)
pauses = st.sampled_from([0.0, 0.0, 0.003, 0.2])

sources = st.builds(sim.Source, sizes, pauses)
unary = st.one_of(
    st.just(sim.kernel(sim.Odd, stateless=True)),
    st.integers(0, 5).map(lambda n: sim.kernel(_Maker(sim.Repeat, n), stateless=True)),
    st.integers(0, 5).map(lambda n: sim.kernel(_Maker(sim.Repeat, n))),
    st.just(sim.kernel(sim.Hold)),
    st.builds(sim.Slowly, st.integers(1, 5), pauses),
    st.builds(sim.Computing, st.floats(0.1, 3)),
)
many = st.sampled_from([sim.OneAfterAnother(), sim.InTurn()])
trees = st.recursive(
    sources.map(sim.Tree),
    lambda below: st.one_of(
        st.tuples(unary, below).map(lambda pair: sim.Tree(pair[0], (pair[1],))),
        st.tuples(unary, below).map(lambda pair: sim.Tree(pair[0], (pair[1],))),
        st.tuples(many, st.lists(below, min_size=1, max_size=3)).map(lambda pair: sim.Tree(pair[0], tuple(pair[1]))),
    ),
    max_leaves=8,
)
pools = st.sampled_from([0, 100, 1_500, 6_000, 200_000])


class _Maker:
    """Makes a kernel; its repr is what Hypothesis shows."""

    def __init__(self, kind, *arguments):
        self.kind, self.arguments = kind, arguments

    def __call__(self):
        return self.kind(*self.arguments)

    def __repr__(self):
        return f"{self.kind.__name__}{self.arguments}"


def _simulate(tree, **options):
    """Run `tree` on virtual time, the ledger checked before every pass of the loop."""
    runs = []

    def on_step(number):
        if runs:
            sim.check_ledger(runs[0].world.ledger)

    async def main():
        return await sim.simulate(tree, on_run=runs.append, **options)

    return run_virtual(main, on_step)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(trees, pools, pauses, st.booleans())
def test_a_random_tree_ends_with_the_right_rows_and_nothing_lent(tree, pool, pause, parallel):
    """No hang (the loop raises), the ledger within its pool at every step, every row as without bounds."""
    from kit import InlineThreads

    outcome = _simulate(tree, pool=pool, consumer_pause=pause, threads=InlineThreads(3 if parallel else 1))

    assert outcome.error is None
    counts = {}
    for value in outcome.values:
        counts[value] = counts.get(value, 0) + 1
    assert counts == {value: n for value, n in sim.expected_counts(tree).items() if n}


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(trees, pools, st.integers(1, 6), pauses)
def test_a_consumer_may_leave_at_any_batch(tree, pool, leave_after, pause):
    outcome = _simulate(tree, pool=pool, leave_after=leave_after, consumer_pause=pause)

    assert outcome.error is None


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(unary, max_size=5), sizes, st.integers(0, 13), pools, pauses)
def test_a_failure_is_one_stage_failed_with_its_cause(operators, batch_sizes, fail_at, pool, pause):
    tree = sim.sequence([sim.Source(batch_sizes, 0.0, fail_at), *operators])

    outcome = _simulate(tree, pool=pool, consumer_pause=pause)

    if fail_at < len(batch_sizes):
        assert isinstance(outcome.error, StageFailed)
        assert isinstance(outcome.error.__cause__, sim.Boom)
        assert outcome.error.operator_id == "Source-0"
    else:
        assert outcome.error is None


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(trees, pools, st.integers(1, 400), pauses)
def test_a_cancellation_at_any_step_leaves_nothing(tree, pool, step, pause):
    _cancel_at(tree, step, pool=pool, consumer_pause=pause)


def _cancel_at(tree, step, **options):
    """Run `tree`, cancelled at pass `step` of the loop; whether the cancellation came before the end."""
    scope = None

    def on_step(number):
        if number == step and scope is not None:
            scope.cancel()

    async def main():
        nonlocal scope
        with anyio.CancelScope() as scope:
            await sim.simulate(tree, **options)
        return scope.cancelled_caught

    return run_virtual(main, on_step)


FIXED = {
    "chain": sim.sequence([sim.Source((30,) * 6), sim.kernel(sim.Odd, stateless=True), sim.kernel(sim.Hold)]),
    "slow source": sim.sequence([sim.Source((30,) * 4, 0.2), sim.kernel(sim.Hold)]),
    "window": sim.sequence([sim.Source((30,) * 8), sim.Slowly(3, 0.2)]),
    "two windows": sim.sequence([sim.Source((30,) * 6), sim.Slowly(3, 0.2), sim.Slowly(2, 0.003)]),
    "work": sim.sequence([sim.Source((30,) * 6), sim.Computing(0.5)]),
    "work twice": sim.sequence([sim.Source((30,) * 6), sim.Computing(2), sim.Computing(0.2)]),
    "inflate": sim.sequence([sim.Source((50,) * 3), sim.kernel(_Maker(sim.Repeat, 5), stateless=True)]),
    "inflate twice": sim.sequence(
        [sim.Source((50,) * 2), sim.kernel(_Maker(sim.Repeat, 3)), sim.kernel(_Maker(sim.Repeat, 3))]
    ),
    "oversize": sim.sequence([sim.Source((10, -9_000, 10, -5_000, -5_000)), sim.kernel(sim.Odd)]),
    "oversize window": sim.sequence([sim.Source((-9_000,) * 4), sim.Slowly(3, 0.01)]),
    "oversize inflated": sim.sequence([sim.Source((10, -9_000, -3_000)), sim.kernel(_Maker(sim.Repeat, 3))]),
    "oversize chain": sim.sequence(
        [sim.Source((-9_000,) * 3), sim.kernel(sim.Hold), sim.kernel(_Maker(sim.Repeat, 2), stateless=True)]
    ),
    "early end": sim.sequence([sim.Source((30,) * 9), sim.kernel(sim.Odd), sim.Take(40)]),
    "early end of a window": sim.sequence([sim.Source((30,) * 9), sim.Slowly(4, 0.1), sim.Take(40)]),
    "concat": sim.Tree(
        sim.OneAfterAnother(), (sim.sequence([sim.Source((30,) * 4)]), sim.sequence([sim.Source((30,) * 4)]))
    ),
    "in turn": sim.Tree(
        sim.InTurn(), (sim.sequence([sim.Source((30,) * 4)]), sim.sequence([sim.Source((5,) * 9, 0.01)]))
    ),
    "oversize branches": sim.Tree(
        sim.InTurn(),
        (
            sim.sequence([sim.Source((-9_000,) * 3), sim.kernel(sim.Hold)]),
            sim.sequence([sim.Source((-9_000,) * 3), sim.Slowly(2, 0.1)]),
        ),
    ),
    "deep": sim.sequence([sim.Source((30,) * 3), *[sim.kernel(sim.Hold) for _ in range(8)]]),
    "everything": sim.sequence(
        [
            sim.Source((30, -4_000, 30), 0.01),
            sim.Slowly(2, 0.1),
            sim.kernel(_Maker(sim.Repeat, 2), stateless=True),
            sim.Computing(1),
            sim.kernel(sim.Hold),
        ]
    ),
    "empty": sim.sequence([sim.Source(()), sim.kernel(sim.Hold), sim.Slowly(2, 0.1)]),
}


@pytest.mark.parametrize("name", FIXED)
def test_a_tree_cancelled_at_every_step_leaves_nothing(name):
    """Cancel at pass 1, 2, 3, … of the loop until the run is over before the cancellation comes."""
    assert len(FIXED) == 20
    step = 1
    while _cancel_at(FIXED[name], step, pool=1_500, consumer_pause=0.002) or step < 5:
        step += 1
    assert step > 8
