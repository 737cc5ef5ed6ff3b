from dataclasses import dataclass, field, replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brim.errors import ObjectMissing, TransferFailed, TransferTimeout
from brim.io.transfers.transfer import (
    PROGRESS_BYTES,
    RETRY_AFTER_MOST_S,
    THROTTLED_MAX,
    WAIT_MOST_S,
    Answer,
    Ask,
    Done,
    Failure,
    GiveUp,
    Piece,
    Read,
    Transfer,
    Wait,
)

FAULTS = ("none", "drop", "503", "429", "cut", "ignore", "short", "change", "shifted", "longer", "late size")


@dataclass
class Server:
    """A server that is told how to fail, one fault a request."""

    body: bytes
    etag: str | None
    last_modified: str | None
    sized: bool
    faults: list[tuple[str, int]]
    bodies: list[bytes] = field(default_factory=list)

    def __post_init__(self):
        self.bodies.append(self.body)

    def answer(self, ask: Ask) -> tuple[Answer | Failure, bytes, bool]:
        """The head, the bytes that come, and whether the body ends as it should."""
        fault, number = self.faults.pop(0) if self.faults else ("none", 0)
        if fault == "change":
            self.body = bytes(255 - byte for byte in self.body)
            self.etag = self.etag and f'"{number + 2}"'
            self.last_modified = self.last_modified and f"date {number + 2}"
            self.bodies.append(self.body)
        if fault == "drop":
            return Failure("dropped"), b"", False
        if fault in ("503", "429"):
            return Answer(int(fault), retry_after=3.0 if fault == "429" else None), b"", True
        same = ask.validator is None or ask.validator in (self.etag, self.last_modified)
        head = Answer(200, len(self.body) if self.sized else None, None, self.etag, self.last_modified)
        data = self.body
        if ask.start and same and fault != "ignore":
            start = ask.start + (fault == "shifted")
            stop = len(self.body)
            if fault == "short":
                stop = min(stop, start + 1 + number % 5)
            data = self.body[start:stop]
            total = "*" if fault == "late size" else str(len(self.body))
            head = replace(head, status=206, length=None, content_range=f"bytes {start}-{stop - 1}/{total}")
        if fault == "longer" and self.sized:
            return head, data + b"!", True
        if fault == "cut":
            return head, data[: number % (len(data) + 1)], False
        return head, data, True


def fetch(server: Server, transfer: Transfer, piece: int) -> tuple[bytes, list[Piece], TransferFailed | None]:
    """What a shell does, on paper."""
    got, pieces, order = bytearray(), [], transfer.begin()
    while True:
        match order:
            case Ask():
                head, data, whole = server.answer(order)
                order = transfer.failed(head) if isinstance(head, Failure) else transfer.answered(head)
            case Read():
                for at in range(0, len(data), piece):
                    chunk = data[at : at + piece]
                    order = transfer.arrived(len(chunk))
                    if isinstance(order, GiveUp):
                        break
                    pieces.append(order)
                    assert order.start <= len(got)
                    got[order.start :] = chunk[order.drop :]
                else:
                    order = transfer.ended() if whole else transfer.failed(Failure("cut"))
            case Wait(seconds):
                assert 0 <= seconds <= WAIT_MOST_S + 3
                order = transfer.waited()
            case Done():
                return bytes(got), pieces, None
            case GiveUp(error):
                return bytes(got), pieces, error


@given(
    body=st.binary(max_size=40),
    validators=st.sampled_from([('"1"', None), ('W/"1"', None), (None, "date 1"), (None, None), ('"1"', "date 1")]),
    sized=st.booleans(),
    faults=st.lists(st.tuples(st.sampled_from(FAULTS), st.integers(0, 50)), max_size=8),
    restarts=st.booleans(),
    piece=st.integers(1, 9),
    retries=st.integers(0, 8),
)
def test_every_byte_arrives_once_or_the_transfer_fails(*, body, validators, sized, faults, restarts, piece, retries):
    server = Server(body, *validators, sized, faults)
    transfer = Transfer("u", Random(0).uniform, retries, restarts)
    got, pieces, error = fetch(server, transfer, piece)
    if not restarts:
        starts = [place.start for place in pieces]
        assert starts == sorted(starts), "nothing is taken back"
    if error is None:
        assert got in server.bodies, "whole, and never a mixture"
    else:
        assert any(whole.startswith(got) for whole in server.bodies)
        assert error.url == "u"


@given(
    cuts=st.lists(st.integers(1, 30), max_size=6),
    validators=st.sampled_from([('"1"', None), (None, "date 1")]),
    sized=st.booleans(),
)
def test_cuts_are_resumed_while_attempts_last(cuts, validators, sized):
    body = bytes(range(200))
    server = Server(body, *validators, sized, [("cut", cut) for cut in cuts])
    got, _, error = fetch(server, Transfer("u", Random(0).uniform, retries=6, restarts=False), 7)
    assert error is None
    assert got == body


def begun(**options) -> Transfer:
    """A transfer that has read 10 of 100 bytes."""
    transfer = Transfer("u", Random(0).uniform, **options)
    assert transfer.begin() == Ask(0, None)
    assert transfer.answered(Answer(200, 100, etag='"1"')) == Read()
    assert transfer.arrived(10) == Piece(0)
    return transfer


def test_a_cut_body_is_asked_for_from_where_it_was_cut():
    transfer = begun()
    assert isinstance(transfer.ended(), Wait)
    assert transfer.waited() == Ask(10, '"1"')
    assert transfer.answered(Answer(206, 90, "bytes 10-99/100", '"1"')) == Read()
    assert transfer.arrived(90) == Piece(10)
    assert transfer.ended() == Done()


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, 100, etag='"2"'),
        Answer(200, 100),
        Answer(206, 90, "bytes 10-99/100", '"2"'),
        Answer(206, 110, "bytes 10-119/120", '"1"'),
        Answer(416, 0, "bytes */5"),
    ],
)
def test_an_object_that_changed_is_a_failure(answer):
    transfer = begun()
    transfer.ended()
    transfer.waited()
    order = transfer.answered(answer)
    assert isinstance(order, GiveUp)
    assert "changed while it was read" in str(order.error)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(206, 90, "bytes 11-99/100", '"1"'),
        Answer(206, 90, "bytes 10-100/100", '"1"'),
        Answer(206, 90, "bytes 10-9/100", '"1"'),
        Answer(206, 80, "bytes 10-99/100", '"1"'),
        Answer(206, 90, None, '"1"'),
        Answer(206, 90, "items 10-99/100", '"1"'),
        Answer(206, 90, "bytes 10-99999999999999999999/100", '"1"'),
    ],
)
def test_a_range_that_was_not_asked_for_is_a_failure(answer):
    transfer = begun()
    transfer.ended()
    transfer.waited()
    assert isinstance(transfer.answered(answer), GiveUp)


def test_a_range_nobody_asked_for_is_a_failure():
    transfer = Transfer("u", Random(0).uniform)
    transfer.begin()
    assert isinstance(transfer.answered(Answer(206, 90, "bytes 0-89/100")), GiveUp)


def test_without_a_validator_a_reader_that_can_starts_over():
    transfer = Transfer("u", Random(0).uniform, restarts=True)
    transfer.begin()
    transfer.answered(Answer(200, 100))
    transfer.arrived(10)
    transfer.ended()
    assert transfer.waited() == Ask(0, None)
    assert transfer.answered(Answer(200, 100)) == Read()
    assert transfer.arrived(100) == Piece(0)


def test_without_a_validator_a_reader_that_cannot_start_over_fails():
    transfer = Transfer("u", Random(0).uniform, restarts=False)
    transfer.begin()
    transfer.answered(Answer(200, 100))
    transfer.arrived(10)
    order = transfer.ended()
    assert isinstance(order, GiveUp)
    assert "cannot be resumed" in str(order.error)


def test_a_weak_etag_resumes_nothing():
    assert Answer(200, etag='W/"1"').validator is None
    assert Answer(200, etag='W/"1"', last_modified="date").validator == "date"


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_what_may_pass_is_tried_again(status):
    transfer = Transfer("u", Random(0).uniform, retries=2)
    transfer.begin()
    for _ in range(2):
        assert isinstance(transfer.answered(Answer(status)), Wait)
        transfer.waited()
    order = transfer.answered(Answer(status))
    assert isinstance(order, GiveUp)
    assert order.error.attempts == 3
    assert isinstance(order.error, TransferTimeout) == (status in (408, 504))


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (404, ObjectMissing),
        (410, ObjectMissing),
        (401, TransferFailed),
        (403, TransferFailed),
        (304, TransferFailed),
        (451, TransferFailed),
    ],
)
def test_a_refusal_is_not_tried_again(status, error):
    transfer = Transfer("u", Random(0).uniform)
    transfer.begin()
    order = transfer.answered(Answer(status))
    assert isinstance(order, GiveUp)
    assert type(order.error) is error
    assert str(status) in str(order.error)


def test_pauses_grow_and_are_drawn_from_their_whole_range():
    most = []
    transfer = Transfer("u", lambda low, high: most.append(high) or low, retries=10)
    transfer.begin()
    for _ in range(10):
        assert transfer.failed(Failure("x")).seconds == 0
        transfer.waited()
    assert most[:3] == [0.5, 1.0, 2.0]
    assert most[-1] == WAIT_MOST_S


def test_the_time_a_server_asks_for_is_waited_and_does_not_count():
    transfer = Transfer("u", Random(0).uniform, retries=1)
    transfer.begin()
    for _ in range(THROTTLED_MAX):
        order = transfer.answered(Answer(429, retry_after=7.0))
        assert isinstance(order, Wait)
        assert order.seconds >= 7
        assert not order.charged
        transfer.waited()
    assert isinstance(transfer.answered(Answer(429, retry_after=7.0)), GiveUp)


def test_an_endless_retry_after_is_capped():
    transfer = Transfer("u", lambda low, _: low, retries=1)
    transfer.begin()
    assert transfer.answered(Answer(503, retry_after=1e9)).seconds == RETRY_AFTER_MOST_S


def test_failures_are_forgotten_after_a_good_piece():
    transfer = Transfer("u", Random(0).uniform, retries=1)
    transfer.begin()
    transfer.answered(Answer(200, 100 * PROGRESS_BYTES, etag='"1"'))
    for part in range(20):
        transfer.arrived(PROGRESS_BYTES)
        assert isinstance(transfer.failed(Failure("cut")), Wait), part
        ask = transfer.waited()
        transfer.answered(Answer(206, None, f"bytes {ask.start}-{100 * PROGRESS_BYTES - 1}/{100 * PROGRESS_BYTES}"))
    transfer.arrived(1)
    transfer.failed(Failure("cut"))
    transfer.waited()
    assert isinstance(transfer.failed(Failure("cut")), GiveUp)


def test_a_parked_transfer_goes_on_without_an_attempt():
    transfer = begun(retries=0)
    for _ in range(5):
        assert transfer.parked() == Ask(10, '"1"')


def test_an_object_whose_end_alone_was_cut_off_is_done():
    transfer = Transfer("u", Random(0).uniform)
    transfer.begin()
    transfer.answered(Answer(200, None, etag='"1"'))
    transfer.arrived(10)
    transfer.failed(Failure("cut"))
    transfer.waited()
    assert transfer.answered(Answer(416, 0, "bytes */10")) == Done()
    assert transfer.size == 10


def test_no_content_is_an_empty_object():
    transfer = Transfer("u", Random(0).uniform)
    transfer.begin()
    transfer.answered(Answer(204))
    assert transfer.ended() == Done()
    assert transfer.size == 0
