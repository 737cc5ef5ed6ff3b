"""Frames: whatever way bytes and descriptors arrive, whole messages come out with their own descriptors."""

import os
import socket

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brim.io.workers.blocking_channel import BlockingChannel
from brim.io.workers.channel import Channel
from brim.io.workers.frames import ChannelBroken, Frames, frame
from brim.io.workers.messages import Alive, Finished, Invoke, Made, Next, Raised, Ready, Start, Stop, decode, encode

numbers = st.integers(0, 2**40)
messages = st.one_of(
    st.builds(Start, st.none() | st.text()),
    st.builds(Invoke, numbers, numbers),
    st.builds(Made, numbers, st.booleans(), st.floats(0, 1e6), numbers),
    st.builds(Raised, numbers, st.text(), st.text(), st.text()),
    *(st.builds(kind, numbers) for kind in (Next, Stop, Ready, Finished, Alive)),
)


@given(messages)
def test_a_message_comes_out_as_it_went_in(message):
    assert decode(encode(message)) == message


@given(st.lists(st.tuples(messages, st.integers(0, 3)), max_size=6), st.data())
def test_frames_may_be_cut_anywhere(sent, data):
    frames, out, fds, number = Frames(), [], [], 100
    for message, count in sent:
        own = list(range(number, number + count))
        number += count
        fds.append(own)
        rest = frame(message, own)
        given_fds = own
        while rest:
            size = data.draw(st.integers(1, len(rest)))
            frames.feed(rest[:size], given_fds)
            rest, given_fds = rest[size:], []
            while (taken := frames.take()) is not None:
                out.append(taken)
    assert [message for message, _ in out] == [message for message, _ in sent]
    assert [taken for _, taken in out] == fds


def test_lost_descriptors_are_noticed():
    frames = Frames()
    frames.feed(frame(Invoke(1, 2), [7]), [])
    with pytest.raises(ChannelBroken, match="too many open files"):
        frames.take()


def test_both_ends_speak_to_each_other_and_descriptors_arrive():
    async def main():
        ours, theirs = socket.socketpair()
        channel, worker = Channel(ours), BlockingChannel(theirs)
        read, write = os.pipe()
        await channel.send(Invoke(1, 2), [write])
        os.close(write)
        message, (received,) = worker.receive()
        assert message == Invoke(1, 2)
        os.write(received, b"here")
        assert os.read(read, 10) == b"here"
        assert not os.get_inheritable(received)
        worker.send(Raised(1, "UdfError", "x" * 100_000, ""), [received])
        message, fds = await channel.receive()
        assert not any(map(os.get_inheritable, fds))
        assert len(message.reason) == 100_000
        for fd in (*fds, received, read):
            os.close(fd)
        theirs.close()
        assert await channel.receive() is None
        channel.close()

    anyio.run(main)


def test_a_worker_rests_only_when_nothing_comes(monkeypatch):
    monkeypatch.setattr("brim.io.workers.blocking_channel.QUIET_S", 0)
    rests = []
    ours, theirs = socket.socketpair()
    with ours, theirs:
        worker = BlockingChannel(theirs)

        def rest():
            rests.append(len(rests))
            ours.sendall(frame(Next(2), []))

        ours.sendall(frame(Next(1), []))
        assert worker.receive(rest) == (Next(1), [])
        assert rests == []
        assert worker.receive(rest) == (Next(2), [])
        assert rests == [0]
