from random import Random

import anyio
import pytest
from kit import LoopClock, RealThreads
from servers.faulty_http import faulty_server

from brim.errors import PlanError
from brim.io.transfers.file_store import FileStore
from brim.io.transfers.stores import Stores, open_stores
from brim.operators.protocol import TransferOptions


def test_stores_are_found_by_scheme_and_others_are_named():
    store = FileStore(RealThreads())
    stores = Stores({"https": store, "file": store}, objects=None)
    assert stores.store("FILE:///a") is store
    for url in ("ftp://u:secret@host/a?token=x", "no url", "", "file:/a"):
        with pytest.raises(PlanError, match=r"https://, file://") as caught:
            stores.store(url)
        assert "secret" not in str(caught.value)
        assert "token" not in str(caught.value)


def test_the_stores_of_an_engine_read_files_and_http(tmp_path):
    (tmp_path / "a").write_bytes(b"a")

    async def main():
        clock, random, threads = LoopClock(), Random(0), RealThreads()
        async with (
            faulty_server() as server,
            open_stores(clock=clock, random=random, threads=threads, max_connections=2) as stores,
        ):
            for url in ((tmp_path / "a").as_uri(), server.put("a", b"a")):
                async with stores.store(url).open(url, TransferOptions()) as body:
                    assert body.size == 1
                    assert [piece async for piece in body] == [(0, b"a")]

    anyio.run(main)
