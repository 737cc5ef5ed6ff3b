"""Where the page may be served."""

from __future__ import annotations

import subprocess
import sys

import pytest

from brim.errors import PlanError
from brim.pipeline.dashboard.address import checked_address, parse_address


@pytest.mark.parametrize(
    "address",
    [
        "",
        "8787",
        ":8787",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:x",
        "127.0.0.1:65536",
        "::1:80",
        "http://127.0.0.1:80",
        "a@127.0.0.1:80",
        "127.0.0.1:٣",
    ],
)
def test_what_is_no_address_is_refused(address):
    with pytest.raises(PlanError, match="host:port"):
        parse_address(address)


@pytest.mark.parametrize("address", ["0.0.0.0:1", "[::]:1", "192.0.2.1:1", "brim.example:1", "[::ffff:192.0.2.1]:1"])
def test_an_address_that_is_open_to_others_is_refused_without_a_token(address):
    with pytest.raises(PlanError, match="give a token"):
        checked_address(address, None)
    assert checked_address(address, "a-token-of-some-length")[1] == 1


def test_checking_an_address_and_tapping_events_load_no_server():
    code = "import sys; from brim.pipeline.dashboard import address, event_tap; print('aiohttp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout == b"False\n"
