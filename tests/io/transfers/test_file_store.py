import os
from pathlib import Path

import anyio
import pytest
from kit import RealThreads

from brim.errors import ObjectMissing, TransferFailed
from brim.io.transfers.file_store import PIECE_BYTES, READ_BYTES, FileStore
from brim.operators.protocol import TransferOptions


def read(url: str) -> tuple[int, bytes]:
    async def main():
        async with FileStore(RealThreads()).open(url, TransferOptions()) as body:
            got = bytearray()
            async for start, piece in body:
                assert start == len(got)
                got += piece
            return body.size, bytes(got)

    return anyio.run(main)


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES, 2 * PIECE_BYTES + 7])
def test_a_file_is_read_whole(tmp_path, size):
    content = os.urandom(size)
    (tmp_path / "ein Bild #1?.jpg").write_bytes(content)
    assert read((tmp_path / "ein Bild #1?.jpg").as_uri()) == (size, content)


@pytest.mark.parametrize("room", [1, 1000, READ_BYTES + 7])
def test_a_file_is_read_into_memory_of_any_size(tmp_path, room):
    content = os.urandom(3000 if room < READ_BYTES else READ_BYTES + 3000)
    (tmp_path / "a").write_bytes(content)

    async def main():
        got = bytearray(len(content))
        async with FileStore(RealThreads()).open((tmp_path / "a").as_uri(), TransferOptions()) as body:
            at = 0
            while (
                piece := await body.read_into(memoryview(got)[at : at + room] or memoryview(bytearray(1)))
            ) is not None:
                assert piece[0] == at
                at += piece[1]
        assert got == content

    anyio.run(main)


def test_a_missing_file_is_a_missing_object(tmp_path):
    with pytest.raises(ObjectMissing, match=r"nothing\.bin"):
        read((tmp_path / "nothing.bin").as_uri())


def test_a_file_used_as_a_folder_is_a_missing_object(tmp_path):
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(ObjectMissing):
        read((tmp_path / "a" / "b").as_uri())


def test_folders_pipes_and_devices_are_no_objects(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for url in (tmp_path.as_uri(), (tmp_path / "pipe").as_uri(), "file:///dev/zero"):
        with pytest.raises(TransferFailed, match="no regular file"):
            read(url)


@pytest.mark.parametrize(
    "url", ["file://other.host/etc/hostname", "file:relative", "file:///a%00b", "file:///a?b", "file:///a#b"]
)
def test_a_url_that_names_no_path_is_refused(url):
    with pytest.raises(TransferFailed):
        read(url)


def test_a_file_cut_while_it_is_read_is_a_failure(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"x" * (3 * PIECE_BYTES))

    async def main():
        async with FileStore(RealThreads()).open(path.as_uri(), TransferOptions()) as body:
            assert (await anext(body))[0] == 0
            os.truncate(path, PIECE_BYTES)
            with pytest.raises(TransferFailed, match="while it was read"):
                await anext(body)

    anyio.run(main)


def test_descriptors_are_closed(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        read((tmp_path / "a").as_uri())
        with pytest.raises(TransferFailed):
            read(tmp_path.as_uri())
    assert len(list(Path("/proc/self/fd").iterdir())) == before
