"""App: the page as an aiohttp application, of its own or mounted in another one.

    /            the page              /NAME    its scripts and style, from memory
    /events      see `stream.py`       /metrics what a Prometheus server scrapes
    else         404

Every answer carries the headers of `access.py`. What is refused is refused before anything is looked up.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from brim.pipeline.dashboard.access import (
    HEADERS,
    LOOPBACK_HOSTS,
    METHODS,
    Access,
    access,
    bearer,
    is_foreign,
    is_loopback,
)
from brim.pipeline.dashboard.event_tap import EventTap
from brim.pipeline.dashboard.sampler import Sampler, Watched
from brim.pipeline.dashboard.stream import Stream
from brim.pipeline.metrics.scrape import answer_scrapes

STATIC = Path(__file__).with_name("static")
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_ASK = "the dashboard needs its token: open /?token=… once, or send Authorization: Bearer …\n"


def dashboard_app(
    engine: Watched,
    *,
    tap: EventTap | None = None,
    token: str | None = None,
    hosts: Iterable[str] = LOOPBACK_HOSTS,
) -> web.Application:
    """The live page of an engine, to be served or mounted, as in ``service.add_subapp("/brim", page)``.

    Args:
        engine: what is shown. It may be opened later, in the loop that serves; until then the page says so.
        tap: where the engine's events are told to; without one no events are shown, nor how runs have ended.
        token: what a client has to know, 16 characters or more. Without one only clients on this machine are served.
        hosts: the names by which it may be reached. Other requests are refused, whatever address they come in by.

    Raises:
        PlanError: names that are not this machine's without a token, or a token that is too short.
    """
    tap = EventTap() if tap is None else tap
    allowed = access(token, hosts)
    sampler = Sampler(engine, tap)
    app = web.Application(middlewares=[_guard(allowed)])
    app.on_response_prepare.append(_set_headers)
    _add_life(app, sampler)
    app.router.add_get("/events", Stream(sampler, tap).handle)
    app.router.add_get("/metrics", answer_scrapes(engine.stats, tap.totals))
    for path in sorted(STATIC.iterdir()):
        if path.name == "index.html":
            app.router.add_get("/", _file(path), name="page")
        elif path.suffix in _TYPES:
            app.router.add_get(f"/{path.name}", _file(path))
    app.router.add_get("", _to_page, name="mount")  # last: where nothing is mounted it is the page's own path
    return app


def _add_life(app: web.Application, sampler: Sampler) -> None:
    """Look while the application serves. At its end streams are told first: they are waited for."""

    async def start(_: web.Application) -> None:
        sampler.start()

    async def end(_: web.Application) -> None:
        sampler.end()

    app.on_startup.append(start)
    app.on_shutdown.append(end)
    app.on_cleanup.append(end)


def _guard(allowed: Access) -> Middleware:
    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        _judge(request, allowed)
        if (
            allowed.token is not None
            and "token" in request.query
            and request.match_info.route.name in ("page", "mount")
        ):
            return _exchange(request, allowed)
        if request.match_info.route.name != "mount":
            _judge_client(request, allowed)
        return await handler(request)

    return guard


def _judge(request: web.Request, allowed: Access) -> None:
    """Refuse what nobody may ask, token or not."""
    if request.method not in METHODS:
        raise web.HTTPMethodNotAllowed(request.method, METHODS)
    if not allowed.knows_host(request.headers.getall("Host", [])):
        raise web.HTTPMisdirectedRequest(text="this is not a name of the dashboard; see hosts=\n")
    if is_foreign(request.headers):
        raise web.HTTPForbidden(text="a page of another site may not ask\n")


def _judge_client(request: web.Request, allowed: Access) -> None:
    """Refuse a client without the token, or from elsewhere where there is none."""
    if allowed.token is None:
        if not _is_near(request):
            raise web.HTTPForbidden(text="without a token the dashboard is for this machine\n")
    elif not (
        allowed.takes_token(bearer(request.headers)) or allowed.takes_cookie(request.cookies.get(allowed.cookie_name))
    ):
        raise web.HTTPUnauthorized(text=_ASK, headers={"WWW-Authenticate": 'Bearer realm="brim"'})


def _is_near(request: web.Request) -> bool:
    """Whether the other end is on this machine: a loopback address, or a socket in the file system (no address).

    A service behind a proxy says who asks with ``request.clone(remote=…)`` in a middleware.
    """
    return not request.remote or is_loopback(request.remote)


def _exchange(request: web.Request, allowed: Access) -> web.Response:
    """A token in the address becomes a cookie, so that it stays neither there nor in the history."""
    if not allowed.takes_token(request.query["token"]):
        raise web.HTTPUnauthorized(text=_ASK)
    folder = request.path.removesuffix("/") + "/"
    response = web.Response(status=303, headers={"Location": folder})
    response.set_cookie(
        allowed.cookie_name, allowed.cookie, path=folder, httponly=True, samesite="Strict", secure=request.secure
    )
    return response


async def _set_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)


async def _to_page(request: web.Request) -> web.StreamResponse:
    """A mounted page asked for without its last slash: names in the page are relative to it."""
    raise web.HTTPFound(f"{request.path}/")


def _file(path: Path) -> Handler:
    """`path` from memory: it is read once."""
    data, content_type = path.read_bytes(), _TYPES[path.suffix]

    async def handle(_: web.Request) -> web.StreamResponse:
        return web.Response(body=data, content_type=content_type, charset="utf-8")

    return handle
