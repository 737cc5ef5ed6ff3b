"""The ledger: loans, requests and whose turn it is, by a state machine."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from brim.pipeline.account import Account, Kind
from brim.pipeline.ledger import Holder, Ledger, Request

LENT = st.sampled_from([kind for kind in Kind if kind is not Kind.STATE])
ASKED = st.sampled_from([kind for kind in Kind if kind not in (Kind.SPARE, Kind.STATE)])


class Loans(RuleBasedStateMachine):
    """Borrow, ask, withdraw, repay, hold, let go, reserve and release at random; the books always agree."""

    loans = Bundle("loans")
    requests = Bundle("requests")

    def __init__(self):
        super().__init__()
        self.ledger = Ledger(1_000, oversize_limit=100)
        self.lent = dict.fromkeys(Kind, 0)
        self.waiting = []
        self.reserved = 0
        self.asked = []
        self.holders = [self._holder(place) for place in range(3)]

    def _holder(self, place):
        return Holder(lambda: self.asked.append(place))

    def _granted(self):
        for request in list(self.waiting):
            if request.granted is not None:
                self.waiting.remove(request)
                self.lent[request.kind] += request.granted

    @rule(target=loans, kind=LENT, size=st.integers(0, 700), rank=st.integers(0, 3))
    def borrow(self, kind, size, rank):
        if self.ledger.borrow(kind, size, rank):
            self.lent[kind] += size
            return (kind, size)
        return (kind, 0)

    @rule(
        target=requests,
        kind=ASKED,
        size=st.integers(1, 100),
        rank=st.integers(0, 3),
    )
    def ask(self, kind, size, rank):
        request = Request(kind, size, rank, lambda: None)
        self.waiting.append(request)
        self.ledger.ask(request)
        self._granted()
        return request

    @rule(request=consumes(requests))
    def withdraw(self, request):
        if request.granted is not None:
            self.lent[request.kind] -= request.granted
        else:
            self.waiting.remove(request)
        self.ledger.withdraw(request)
        self._granted()

    @rule(loan=consumes(loans))
    def repay(self, loan):
        kind, size = loan
        self.lent[kind] -= size
        self.ledger.repay(kind, size)
        self._granted()

    @rule(place=st.integers(0, 2), size=st.integers(1, 300))
    def hold(self, place, size):
        before, waited = self.holders[place].asked, bool(self.ledger.waiting(Kind.WORK))
        if self.ledger.hold(self.holders[place], size):
            assert not before, "who was asked takes no more"
            assert not waited, "and nobody does while others wait to compute"
            self.lent[Kind.STATE] += size

    @rule(place=st.integers(0, 2))
    def let_go(self, place):
        self.lent[Kind.STATE] -= self.holders[place].held
        self.ledger.let_go(self.holders[place])
        self.asked = [other for other in self.asked if other != place]
        assert not self.holders[place].asked
        self._granted()

    @rule(size=st.integers(0, 400))
    def reserve(self, size):
        if self.ledger.reserve(size):
            self.reserved += size

    @rule()
    def release(self):
        self.ledger.release(self.reserved)
        self.reserved = 0
        self._granted()

    @invariant()
    def the_books_agree(self):
        ledger = self.ledger
        assert {kind: ledger.lent(kind) for kind in Kind} == self.lent
        assert ledger.floors == self.reserved
        assert 0 <= ledger.lent(Kind.AHEAD) <= ledger.ahead_limit
        assert ledger.lent(Kind.AHEAD) + ledger.lent(Kind.WORK) + ledger.lent(Kind.STATE) <= ledger.pool
        assert ledger.lent(Kind.STATE) == sum(holder.held for holder in self.holders)
        assert sorted(self.asked) == [place for place in range(3) if self.holders[place].asked], "each is asked once"
        assert ledger.lent(Kind.OVERSIZE) <= ledger.limit
        assert ledger.lent(Kind.SPARE) <= ledger.oversize_limit
        assert not (ledger.lent(Kind.SPARE) and ledger.lent(Kind.OVERSIZE))

    @invariant()
    def who_is_first_in_line_could_not_be_served(self):
        """Nobody waits while what they ask for is there."""
        work = [request for request in self.waiting if request.kind is Kind.WORK]
        for kind in Kind:
            line = [request for request in self.waiting if request.kind is kind]
            if not line or (kind is Kind.AHEAD and work):
                continue
            first = max(line, key=lambda request: request.rank)
            assert self.ledger._grantable(first) is None

    @invariant()
    def whoever_waits_to_compute_has_asked_for_enough(self):
        """State never keeps computing out: what is missing was asked for, or there is nothing to ask for."""
        ledger, work = self.ledger, [request for request in self.waiting if request.kind is Kind.WORK]
        if work:
            first = max(work, key=lambda request: request.rank)
            missing = min(first.size, ledger.work_most) - ledger._free
            held = sum(holder.held for holder in self.holders)
            assert sum(holder.held for holder in self.holders if holder.asked) >= min(missing, held)


Loans.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
test_loans = Loans.TestCase


def _ask(ledger, kind, size, rank, rung, name):
    request = Request(kind, size, rank, lambda: rung.append(name))
    ledger.ask(request)
    return request


def test_the_furthest_downstream_is_served_first_and_equals_in_the_order_they_came():
    ledger, rung = Ledger(100), []
    assert ledger.borrow(Kind.WORK, 100, 0)
    for name, rank in (("up", 1), ("down", 5), ("down too", 5), ("middle", 3)):
        _ask(ledger, Kind.WORK, 25, rank, rung, name)
    for _ in range(4):
        ledger.repay(Kind.WORK, 25)
    assert rung == ["down", "down too", "middle", "up"]


def test_nobody_overtakes_a_large_request():
    ledger, rung = Ledger(100), []
    assert ledger.borrow(Kind.WORK, 80, 0)
    _ask(ledger, Kind.WORK, 50, 2, rung, "large")
    _ask(ledger, Kind.WORK, 10, 1, rung, "small")
    assert rung == []
    assert not ledger.borrow(Kind.WORK, 5, 1)
    ledger.repay(Kind.WORK, 40)
    assert rung == ["large", "small"]


def test_computing_comes_before_reading_ahead():
    ledger, rung = Ledger(100), []
    assert ledger.borrow(Kind.WORK, 90, 0)
    _ask(ledger, Kind.WORK, 40, 1, rung, "work")
    assert not ledger.borrow(Kind.AHEAD, 5, 9)
    _ask(ledger, Kind.AHEAD, 5, 9, rung, "ahead")
    ledger.repay(Kind.WORK, 90)
    assert rung == ["work", "ahead"]


def test_a_work_loan_is_at_most_what_ahead_loans_can_never_take():
    ledger, rung = Ledger(100), []
    assert ledger.borrow(Kind.AHEAD, 50, 0)
    request = _ask(ledger, Kind.WORK, 80, 1, rung, "work")
    assert request.granted == 50 == ledger.work_limit


def test_an_overdraft_is_counted_and_stops_loans_until_it_is_repaid():
    ledger = Ledger(100, oversize_limit=50)
    ledger.overdraw(Kind.WORK, 200)
    assert ledger.used == 200
    assert not ledger.borrow(Kind.AHEAD, 1, 0)
    ledger.repay(Kind.WORK, 200)
    assert ledger.borrow(Kind.AHEAD, 1, 0)
    assert ledger.peak == 200


def test_a_shrunken_limit_lends_nothing_until_enough_is_back():
    ledger = Ledger(100)
    assert ledger.borrow(Kind.WORK, 80, 0)
    ledger.limit = 50
    assert not ledger.borrow(Kind.WORK, 1, 0)
    ledger.repay(Kind.WORK, 50)
    assert ledger.borrow(Kind.WORK, 20, 0)


def test_floors_are_given_only_beside_what_is_lent():
    ledger = Ledger(100)
    assert ledger.borrow(Kind.AHEAD, 50, 0)
    assert not ledger.reserve(10)
    ledger.repay(Kind.AHEAD, 30)
    assert ledger.reserve(60)
    assert ledger.pool == 40


def test_while_ahead_is_paused_nothing_more_is_lent_ahead_but_computing_is_served():
    ledger, rung = Ledger(100), []
    ledger.adjust(cut=0, ahead_paused=True)
    assert not ledger.borrow(Kind.AHEAD, 1, 1)
    _ask(ledger, Kind.AHEAD, 10, 1, rung, "ahead")
    assert ledger.borrow(Kind.WORK, 50, 1)
    assert rung == []
    ledger.adjust(cut=0, ahead_paused=False)
    assert rung == ["ahead"]


def test_a_cut_keeps_bytes_from_the_pool_but_not_from_floors_and_may_be_let_go():
    ledger, rung = Ledger(100), []
    ledger.adjust(cut=90, ahead_paused=False)
    _ask(ledger, Kind.AHEAD, 40, 1, rung, "ahead")
    assert ledger.reserve(20), "a run is let in as if there were no cut: it can always go on with its floors"
    assert ledger.pool == 0
    ledger.release(20)
    ledger.adjust(cut=21, ahead_paused=False)
    assert rung == []
    ledger.adjust(cut=20, ahead_paused=False)
    assert rung == ["ahead"]


def test_who_computes_alone_is_served_although_a_cut_left_less_than_is_lent_ahead():
    """Those who hold loans ahead may be the ones who wait to compute."""
    ledger, rung = Ledger(100), []
    assert ledger.borrow(Kind.AHEAD, 50, 1)
    ledger.adjust(cut=90, ahead_paused=True)
    request = _ask(ledger, Kind.WORK, 40, 1, rung, "first")
    _ask(ledger, Kind.WORK, 40, 1, rung, "second")
    assert (rung, request.granted) == (["first"], ledger.work_limit)
    ledger.repay(Kind.WORK, request.granted)
    assert rung == ["first", "second"]


def test_who_computes_alone_is_served_with_less_while_a_row_has_the_reserve():
    """The row may be the one that waits to be computed."""
    ledger, rung = Ledger(160, oversize_limit=60), []
    assert ledger.borrow(Kind.OVERSIZE, 60, 0)
    first, second = (_ask(ledger, Kind.WORK, 55, 1, rung, name) for name in ("first", "second"))
    assert (rung, first.kind, first.granted) == (["first"], Kind.WORK, 55)
    ledger.overdraw(Kind.AHEAD, 50)
    ledger.repay(Kind.WORK, 55)
    assert (rung, second.kind, second.granted) == (["first", "second"], Kind.WORK, ledger.work_limit)


def test_computing_gets_nothing_of_the_reserve_that_a_row_waits_for():
    ledger, rung = Ledger(160, oversize_limit=60), []
    assert ledger.borrow(Kind.WORK, 100, 0)
    assert ledger.borrow(Kind.SPARE, 20, 0)
    _ask(ledger, Kind.OVERSIZE, 60, 0, rung, "row")
    _ask(ledger, Kind.WORK, 10, 5, rung, "work")
    assert not ledger.borrow(Kind.SPARE, 10, 9)
    assert rung == []
    ledger.repay(Kind.SPARE, 20)
    assert rung == ["row"]
    ledger.repay(Kind.OVERSIZE, 60)
    assert rung == ["row", "work"]
    assert ledger.lent(Kind.SPARE) == 10


def test_a_reserve_that_shrinks_is_no_room_while_computing_has_it():
    ledger = Ledger(200, oversize_limit=100)
    assert ledger.borrow(Kind.SPARE, 80, 0)
    ledger.oversize_limit = 50
    assert ledger.pool == 120
    ledger.repay(Kind.SPARE, 80)
    assert ledger.pool == 150


def _holders(*sizes, ledger):
    rung = []
    holders = [Holder(lambda place=place: rung.append(place)) for place in range(len(sizes))]
    for holder, size in zip(holders, sizes, strict=True):
        assert ledger.hold(holder, size)
    return holders, rung


def test_who_waits_to_compute_gets_what_the_largest_holders_give_back():
    ledger, granted = Ledger(100), []
    holders, asked = _holders(10, 40, 20, ledger=ledger)
    _ask(ledger, Kind.WORK, 45, 0, granted, "work")
    assert (asked, granted) == ([1], [])
    ledger.let_go(holders[1])
    assert granted == ["work"]
    assert [holder.held for holder in holders] == [10, 0, 20]


def test_state_leaves_a_quarter_of_the_pool_to_queues_and_takes_nothing_while_others_wait():
    ledger = Ledger(100)
    (holder,), asked = _holders(75, ledger=ledger)
    assert not ledger.hold(holder, 1)
    assert ledger.borrow(Kind.AHEAD, 25, 0)
    _ask(ledger, Kind.WORK, 1, 0, [], "work")
    assert asked == [0]
    assert not ledger.hold(Holder(list), 0)


def test_who_has_more_than_its_part_is_asked_by_who_has_less():
    ledger = Ledger(100)
    (first,), asked = _holders(70, ledger=ledger)
    second = Holder(list)
    assert not ledger.hold(second, 10)
    assert asked == [0]
    ledger.let_go(first)
    assert ledger.hold(second, 30)
    assert not ledger.hold(first, 60)
    assert not second.asked, "it has less than a half"


def test_floors_that_are_waited_for_come_back_from_state():
    ledger, granted = Ledger(100), []
    (holder,), asked = _holders(60, ledger=ledger)
    assert not ledger.reserve(50)
    ledger.ask_floors(Request(Kind.WORK, 50, 0, lambda: granted.append("floors")))
    assert (asked, granted) == ([0], [])
    ledger.let_go(holder)
    assert granted == ["floors"]
    assert ledger.floors == 50


def test_all_are_asked_when_memory_is_short_in_truth():
    ledger = Ledger(100)
    _, asked = _holders(10, 20, ledger=ledger)
    ledger.ask_back()
    ledger.ask_back()
    assert asked == [0, 1]


def test_a_pool_that_shrinks_asks_for_what_it_lacks():
    ledger = Ledger(100)
    _, asked = _holders(30, 40, ledger=ledger)
    ledger.adjust(cut=20, ahead_paused=False)
    assert asked == []
    ledger.adjust(cut=40, ahead_paused=False)
    assert asked == [1]


def _of_run(ledger, account, kind, size, rank, rung, name):
    request = Request(kind, size, rank, lambda: rung.append(name), account=account)
    ledger.ask(request)
    return request


def test_a_run_has_its_part_of_what_is_lent_ahead_and_one_part_is_kept_for_the_next():
    ledger, first, second = Ledger(300, spare_weight=1), Account(), Account(weight=2)
    ledger.enter(first)
    assert ledger.borrow(Kind.AHEAD, 75, 0, first)
    assert not ledger.borrow(Kind.AHEAD, 1, 0, first), "half of 150: another run may come"
    ledger.enter(second)
    assert ledger.borrow(Kind.AHEAD, 75, 0, second), "two of four parts"
    assert not ledger.borrow(Kind.AHEAD, 1, 0, second)
    ledger.leave(first)
    ledger.repay(Kind.AHEAD, 75, first)
    assert ledger.borrow(Kind.AHEAD, 25, 0, second), "two of three"


def test_who_has_its_part_is_passed_over_and_does_not_stand_in_the_way():
    ledger, rung = Ledger(300, spare_weight=1), []
    greedy, small = Account(), Account()
    for account in (greedy, small):
        ledger.enter(account)
    assert ledger.borrow(Kind.AHEAD, 50, 0, greedy)
    _of_run(ledger, greedy, Kind.AHEAD, 10, 5, rung, "greedy")
    assert ledger.borrow(Kind.AHEAD, 50, 0, small)
    _of_run(ledger, small, Kind.AHEAD, 10, 1, rung, "small")
    assert rung == []
    ledger.repay(Kind.AHEAD, 10, small)
    assert rung == ["small"]


def test_computing_goes_to_the_run_that_has_least_of_it_whatever_its_rank():
    ledger, rung = Ledger(100), []
    greedy, small = Account(), Account()
    for account in (greedy, small):
        ledger.enter(account)
    assert ledger.borrow(Kind.WORK, 60, 0, greedy)
    assert ledger.borrow(Kind.WORK, 40, 9, greedy)
    for name in ("greedy", "greedy again", "greedy once more"):
        _of_run(ledger, greedy, Kind.WORK, 40, 9, rung, name)
    _of_run(ledger, small, Kind.WORK, 40, 1, rung, "small")
    for _ in range(2):
        ledger.repay(Kind.WORK, 40, greedy)
    assert rung == ["greedy", "small"]


def test_a_run_with_a_limit_of_its_own_gets_no_more_and_computes_with_half_of_it():
    ledger, rung = Ledger(1000), []
    account = Account(most=100)
    ledger.enter(account)
    assert ledger.borrow(Kind.AHEAD, 50, 0, account)
    assert not ledger.borrow(Kind.AHEAD, 1, 0, account)
    request = _of_run(ledger, account, Kind.WORK, 400, 0, rung, "work")
    assert (rung, request.granted) == (["work"], 50)
    second = _of_run(ledger, account, Kind.WORK, 1, 0, rung, "more")
    assert second.granted is None
    assert ledger.borrow(Kind.WORK, 300, 0), "others do not wait for it"
    ledger.repay(Kind.WORK, 50, account)
    assert second.granted == 1


def test_state_is_asked_back_of_who_has_most_by_its_weight():
    ledger, asked = Ledger(100), []
    heavy, light = Account(weight=4), Account()
    holders = [
        Holder(lambda: asked.append("heavy"), account=heavy),
        Holder(lambda: asked.append("light"), account=light),
    ]
    for account in (heavy, light):
        ledger.enter(account)
    assert ledger.hold(holders[0], 40)
    assert ledger.hold(holders[1], 15)
    _of_run(ledger, heavy, Kind.WORK, 50, 0, [], "work")
    assert asked == ["light"], "15 is more than 40 by a weight of 4"


def test_a_run_may_hold_more_state_than_its_part_while_another_part_is_left_and_is_asked_for_it():
    ledger, asked = Ledger(400, spare_weight=1.0), []
    greedy, other = Account(), Account()
    ledger.enter(greedy)
    holder, late = Holder(lambda: asked.append("greedy"), account=greedy), Holder(lambda: None, account=other)
    assert ledger.state_limit == 300
    assert ledger.hold(holder, 150), "half of 300 is its part"
    assert not ledger.hold(holder, 1), "the other half is the next one's"
    ledger.enter(other)
    assert ledger.hold(holder, 50), "the part of each of two is 100 now, and 100 are left"
    assert not ledger.hold(holder, 1)
    assert ledger.hold(late, 100)
    assert not ledger.hold(late, 1)
    assert asked == []
    ledger.leave(greedy)
    assert ledger.leave(other) is None
