"""Open dashboard: serve the page on an address of its own, for as long as a block runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import anyio
from aiohttp import web

from brim.errors import PlanError
from brim.pipeline.dashboard.access import LOOPBACK_HOSTS
from brim.pipeline.dashboard.address import checked_address
from brim.pipeline.dashboard.app import dashboard_app
from brim.pipeline.dashboard.event_tap import EventTap
from brim.pipeline.dashboard.sampler import Watched

_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - recognised, not bound
_END_S = 2.0


@asynccontextmanager
async def open_dashboard(
    engine: Watched,
    address: str,
    *,
    tap: EventTap | None = None,
    token: str | None = None,
    hosts: Iterable[str] = (),
) -> AsyncIterator[str]:
    """Serve the page of `engine` on `address` during the block, which is given the URL, without the token.

    Args:
        engine: what is shown.
        address: ``"127.0.0.1:8787"``, ``"[::1]:8787"``, ``"localhost:0"``; port 0 takes a free one.
        tap: where the engine's events are told to.
        token: what a client has to know; an address that is not of this machine alone needs one.
        hosts: more names by which it may be reached, beside the address and those of the loopback.

    Raises:
        PlanError: no such address, one that is not loopback without a token, or nobody can listen there.
    """
    host, port = checked_address(address, token)
    names = [*LOOPBACK_HOSTS, *hosts, *([] if host in _EVERYWHERE else [host])]
    runner = web.AppRunner(
        dashboard_app(engine, tap=tap, token=token, hosts=names), access_log=None, shutdown_timeout=_END_S
    )
    try:
        await runner.setup()
        yield await _listen(runner, host, port)
    finally:
        with anyio.CancelScope(shield=True):
            await runner.cleanup()


async def _listen(runner: web.AppRunner, host: str, port: int) -> str:
    """Listen, and say the URL. `localhost` may be two addresses, which have no free port in common."""
    bound = "127.0.0.1" if host == "localhost" else host
    try:
        await web.TCPSite(runner, bound, port).start()
    except OSError as error:
        raise PlanError(f"the dashboard cannot listen on {bound}:{port}: {error.strerror or error}") from error
    shown, found = runner.addresses[0][:2]
    return f"http://[{shown}]:{found}/" if ":" in str(shown) else f"http://{shown}:{found}/"
