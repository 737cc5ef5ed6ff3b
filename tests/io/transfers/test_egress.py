import socket
from random import Random

import anyio
import pytest
from kit import LoopClock, RealThreads
from servers.faulty_http import Status, faulty_server

from brim.errors import EgressDenied, TransferFailed
from brim.io.transfers.egress import anywhere, public
from brim.io.transfers.http_store import http_store
from brim.io.transfers.stores import open_stores
from brim.operators.protocol import TransferOptions

DENIED = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.255",
    "127.0.0.1",
    "127.1.2.3",
    "127.255.255.255",
    "168.63.129.16",
    "169.254.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.170",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "192.168.255.255",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "::ffff:7f00:1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::10.1.2.3",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "64:ff9b:1::808:808",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a00:1::",
    "2002:a9fe:a9fe::1",
    "2002:c0a8:101::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fdff:ffff::1",
    "fe80::1",
    "fe80::1%eth0",
    "febf::1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "4000::1",
    "e000::1",
    "localhost",
    "127.1",
    "0x7f.1",
]

ALLOWED = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.1",
    "93.184.216.34",
    "100.63.255.255",
    "100.128.0.1",
    "126.255.255.255",
    "128.0.0.1",
    "172.15.255.255",
    "172.32.0.1",
    "192.0.1.1",
    "192.167.255.255",
    "198.17.255.255",
    "198.20.0.1",
    "223.255.255.255",
    "168.63.129.17",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
    "2001:4860:4860::8888",
    "2600::1",
    "2a00:1450::1",
    "2001:200::1",
]


@pytest.mark.parametrize("address", DENIED)
def test_addresses_that_are_not_public_are_denied(address):
    assert public(address)


@pytest.mark.parametrize("address", ALLOWED)
def test_public_addresses_are_allowed(address):
    assert public(address) is None


def test_anything_goes_where_nothing_is_denied():
    assert all(anywhere(address) is None for address in DENIED)


HOSTS = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0x7f.1",
    "017700000001",
    "0177.0.0.1",
    "0177.1",
    "0177.0.1",
    "127.000.000.001",
    "0",
    "0.0.0.0",
    "0x0",
    "00",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
    "[0:0:0:0:0:0:0:1]",
    "[::127.0.0.1]",
    "user@127.0.0.1",
    "user:pw@localhost",
    "\uff11\uff12\uff17.0.0.1",
    "\u2460\u2461\u2466.0.0.1",
    "127\u30020\u30020\u30021",
    "10.0.0.1",
    "0xa.1",
    "167772161",
    "192.168.1.1",
    "3232235777",
    "172.16.0.1",
    "169.254.169.254",
    "2852039166",
    "0xA9FEA9FE",
    "0251.0376.0251.0376",
    "100.100.100.200",
    "198.18.0.1",
    "[fe80::1]",
    "[fd00:ec2::254]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[::ffff:a9fe:a9fe]",
    "[::ffff:0:7f00:1]",
    "[fe80::1%25lo]",
    "[64:ff9b:1::1]",
    "255.255.255.255",
    "224.0.0.1",
]


def test_no_spelling_of_a_host_reaches_the_server():
    denied = 0
    assert len(HOSTS) >= 50

    async def run():
        nonlocal denied
        async with (
            faulty_server("0.0.0.0") as server,
            http_store(clock=LoopClock(), random=Random(0), egress=public) as store,
        ):
            server.put("secret", b"secret")
            for host in HOSTS:
                with pytest.raises(TransferFailed) as caught:
                    async with store.open(f"http://{host}:{server.port}/secret", TransferOptions(retries=0)):
                        pass
                denied += isinstance(caught.value, EgressDenied)
            assert not server.requests

    anyio.run(run)
    assert denied >= 35, "the client itself refuses the rest as no URL"


def test_the_same_spellings_reach_the_server_where_everything_is_allowed():
    async def main():
        async with (
            faulty_server("0.0.0.0") as server,
            http_store(clock=LoopClock(), random=Random(0), egress=anywhere) as store,
        ):
            server.put("secret", b"secret")
            for host in ("127.0.0.1", "0x7f000001", "0x7f.1", "0x0", "localhost", "[::ffff:7f00:1]", "u@127.0.0.1"):
                async with store.open(f"http://{host}:{server.port}/secret", TransferOptions(retries=0)) as body:
                    assert [piece async for piece in body] == [(0, b"secret")]

    anyio.run(main)


class Rebinding:
    """Resolves to what comes next in its answers."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def resolve(self, host, port):
        self.asked += 1
        address = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, port))]


def test_a_name_bound_to_loopback_when_it_is_dialled_is_denied():
    async def main():
        resolver = Rebinding("93.184.216.34", "127.0.0.1")
        checked = await resolver.resolve("rebind.example", 80)  # what a check before the request would have seen
        assert public(checked[0][4][0]) is None
        async with (
            faulty_server() as server,
            http_store(clock=LoopClock(), random=Random(0), egress=public, resolver=resolver) as store,
        ):
            server.put("secret", b"secret")
            with pytest.raises(EgressDenied, match=r"rebind\.example"):
                async with store.open(server.url("secret", "rebind.example"), TransferOptions()):
                    pass
            assert resolver.asked == 2
            assert not server.requests

    anyio.run(main)


def test_a_name_with_a_private_address_among_others_is_never_dialled_there():
    class Both(Rebinding):
        async def resolve(self, host, port):
            return [(await Rebinding(address).resolve(host, port))[0] for address in ("127.0.0.1", "127.0.0.2")]

    async def main():
        async with (
            faulty_server("0.0.0.0") as server,
            http_store(clock=LoopClock(), random=Random(0), egress=public, resolver=Both("")) as store,
        ):
            server.put("secret", b"secret")
            with pytest.raises(EgressDenied):
                async with store.open(server.url("secret", "both.example"), TransferOptions()):
                    pass
            assert not server.requests

    anyio.run(main)


@pytest.mark.parametrize("target", ["127.0.0.1", "localhost", "169.254.169.254", "[::1]", "0x7f.1"])
def test_a_redirect_to_a_private_address_is_denied(target):
    """The first hop is allowed by an egress rule that knows the test's server only by its own address."""

    async def main():
        async with faulty_server("0.0.0.0") as server:

            def rule(address: str) -> str | None:
                return None if address == "127.0.0.9" else public(address)

            server.put("secret", b"secret")
            server.put("go", b"", Status(302, {"Location": f"http://{target}:{server.port}/secret"}))
            async with http_store(clock=LoopClock(), random=Random(0), egress=rule) as store:
                with pytest.raises(EgressDenied):
                    async with store.open(server.url("go", "127.0.0.9"), TransferOptions()):
                        pass
            assert [name for name, _ in server.requests] == ["go"]

    anyio.run(main)


def test_an_engine_that_is_public_only_reads_no_files(tmp_path):
    (tmp_path / "a").write_bytes(b"secret")

    async def main():
        clock, random = LoopClock(), Random(0)
        async with open_stores(
            clock=clock, random=random, threads=RealThreads(), max_connections=2, egress="public"
        ) as stores:
            url = (tmp_path / "a").as_uri()
            with pytest.raises(EgressDenied):
                async with stores.store(url).open(url, TransferOptions()):
                    pass

    anyio.run(main)
