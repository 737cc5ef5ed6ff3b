"""The page as an application: what it serves, and what it refuses, one by one, over real sockets."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import aiohttp
import psutil
import pytest
from aiohttp import web
from leaks import nothing_left
from page_kit import raw, shown

import brim
from brim.errors import PlanError
from brim.pipeline.dashboard.access import HEADERS
from brim.pipeline.dashboard.app import STATIC, dashboard_app

TOKEN = "a-token-of-some-length"


def _run(main, folder):
    with nothing_left(folder):
        return asyncio.run(main())


def _asked(folder, *requests, **settings):
    """The statuses of requests, each a dictionary for `Shown.ask`."""

    async def main():
        async with shown(folder, **settings) as page:
            return [await page.status(**request) for request in requests]

    return _run(main, folder)


def _answered(folder, **request):
    async def main():
        async with shown(folder) as page:
            return await page.ask(**request)

    return _run(main, folder)


def test_an_engine_listens_nowhere_unless_asked(tmp_path):
    async def main():
        async with brim.Engine(memory="128MiB", spill_dir=tmp_path):
            return [c for c in psutil.Process().net_connections("tcp") if c.status == psutil.CONN_LISTEN]

    assert _run(main, tmp_path) == []


def test_the_page_and_all_it_refers_to_are_served(tmp_path):
    files = [file.name for file in STATIC.iterdir() if file.name != "index.html"]
    assert {"page.js", "style.css", "icon.svg"} <= set(files)
    assert _asked(tmp_path, {}, *({"path": name} for name in files)) == [200] * (len(files) + 1)


@pytest.mark.parametrize(
    ("name", "kind"), [("", "text/html"), ("page.js", "text/javascript"), ("style.css", "text/css")]
)
def test_files_are_what_they_say(tmp_path, name, kind):
    _, headers, text = _answered(tmp_path, path=name)
    assert headers["Content-Type"] == f"{kind}; charset=utf-8"
    assert text == (STATIC / (name or "index.html")).read_text()


def test_the_numbers_of_the_engine_can_be_scraped_by_whom_the_page_is_shown_to(tmp_path):
    _, headers, text = _answered(tmp_path, path="metrics")
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "\nbrim_memory_limit_bytes " in text
    assert "\nbrim_rows_total " in text
    allowed = {"path": "metrics", "headers": {"Authorization": f"Bearer {TOKEN}"}}
    assert _asked(tmp_path, {"path": "metrics"}, allowed, token=TOKEN) == [401, 200]


def test_the_page_needs_nothing_from_elsewhere():
    for file in STATIC.iterdir():
        text = file.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text, file
        assert "https:" not in text, file
        for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "style=", " onclick="):
            assert word not in text, (file, word)


@pytest.mark.parametrize("path", ["", "page.js", "events", "nothing", "../app.py", "%2e%2e/app.py", "static/page.js"])
@pytest.mark.parametrize("token", [None, TOKEN])
def test_every_answer_has_the_headers(tmp_path, path, token):
    async def main():
        async with shown(tmp_path, token=token) as page:
            return await page.ask("HEAD", path)

    status, headers, _ = _run(main, tmp_path)
    assert status == (401 if token else 200 if path in ("", "page.js", "events") else 404)
    assert {name: headers[name] for name in HEADERS} == dict(HEADERS)
    assert "Access-Control-Allow-Origin" not in headers


def test_the_policy_allows_what_is_ours_and_nothing_inline(tmp_path):
    policy = _answered(tmp_path)[1]["Content-Security-Policy"]
    wanted = {
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
    }
    assert wanted <= {part.strip() for part in policy.split(";")}
    assert "unsafe" not in policy
    assert "*" not in policy


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"])
@pytest.mark.parametrize("path", ["/", "/events", "/nothing"])
def test_only_get_and_head(tmp_path, method, path):
    async def main():
        async with shown(tmp_path) as page:
            host = page.url.removeprefix("http://").rstrip("/")
            return await raw(page.url, [f"{method} {path} HTTP/1.1", f"Host: {host}"])

    answer = _run(main, tmp_path)
    if method == "CONNECT":  # refused before it gets here, or here
        assert answer.startswith(("HTTP/1.1 400", "HTTP/1.1 405"))
    else:
        assert answer.startswith("HTTP/1.1 405")
        assert "\r\nAllow: GET,HEAD" in answer


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "192.0.2.1", "x@127.0.0.1"]
)
def test_a_forged_host_is_refused(tmp_path, host):
    assert _asked(tmp_path, *({"path": path, "headers": {"Host": host}} for path in ("", "events", "no"))) == [421] * 3


def test_no_host_two_hosts_and_an_address_in_the_request_line_are_refused(tmp_path):
    async def main():
        async with shown(tmp_path) as page:
            return [
                await raw(page.url, ["GET / HTTP/1.0"]),
                await raw(page.url, ["GET / HTTP/1.1", "Host: 127.0.0.1", "Host: evil.example"]),
                await raw(page.url, ["GET http://evil.example/ HTTP/1.1", "Host: evil.example"]),
                await raw(page.url, ["GET / HTTP/1.1", "Host: localhost"]),
            ]

    none, two, other, ours = _run(main, tmp_path)
    assert none.startswith("HTTP/1.0 421")
    assert two.startswith(("HTTP/1.1 421", "HTTP/1.1 400", "HTTP/1.0 400"))
    assert other.startswith("HTTP/1.1 421")
    assert ours.startswith("HTTP/1.1 200")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"},
    ],
)
def test_a_page_of_another_site_is_refused(tmp_path, headers):
    assert _asked(tmp_path, {"headers": headers}, {"path": "events", "headers": headers}) == [403, 403]


def test_a_link_to_the_page_may_be_followed_and_its_own_requests_are_answered(tmp_path):
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}

    async def main():
        async with shown(tmp_path) as page:
            own = {"Origin": page.url.rstrip("/"), "Sec-Fetch-Site": "same-origin"}
            return [await page.status(headers=link), await page.status(path="page.js", headers=own)]

    assert _run(main, tmp_path) == [200, 200]


def test_without_the_token_nothing_is_shown(tmp_path):
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    statuses = _asked(
        tmp_path,
        *({"path": path} for path in ("", "events", "page.js", "nothing")),
        {"headers": {"Authorization": f"Bearer {TOKEN}x"}},
        {"headers": {"Authorization": f"Basic {TOKEN}"}},
        {"path": f"?token={TOKEN[:-1]}"},
        {"path": "?token="},
        {"path": f"page.js?token={TOKEN}"},
        {"headers": bearer},
        {"path": "nothing", "headers": bearer},
        {"method": "POST", "headers": bearer},
        {"headers": {**bearer, "Host": "evil.example"}},
        {"headers": {**bearer, "Origin": "http://evil.example"}},
        token=TOKEN,
    )
    assert statuses == [401] * 9 + [200, 404, 405, 421, 403]


def test_a_token_in_the_address_becomes_a_cookie(tmp_path):
    async def main():
        async with shown(tmp_path, token=TOKEN) as page:
            first = await page.ask(path=f"?token={TOKEN}&x=1")
            return first, [await page.status(path=path) for path in ("", "page.js")]

    (status, headers, _), then = _run(main, tmp_path)
    cookie = headers["Set-Cookie"]
    assert (status, headers["Location"]) == (303, "/")
    assert TOKEN not in str(headers)
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert then == [200, 200]


@web.middleware
async def _from_afar(request, handler):
    """As a service behind a proxy does that says who asks."""
    return await handler(request.clone(remote=request.headers["X-Real-IP"]))


@asynccontextmanager
async def _mounted(page, *middlewares):
    """A service with `page` mounted at `/brim`; a function that asks it."""
    service = web.Application(middlewares=middlewares)
    service.add_subapp("/brim", page)
    runner = web.AppRunner(service, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as client:

            async def ask(path, **headers):
                async with client.get(url + path, allow_redirects=False, headers=headers) as answer:
                    return answer.status, answer.headers.get("Location"), answer.headers.get("Set-Cookie", "")

            yield ask
    finally:
        await runner.cleanup()


def test_without_a_token_only_clients_on_this_machine_are_served(tmp_path):
    async def main():
        async with _mounted(dashboard_app(brim.Engine(memory="128MiB")), _from_afar) as ask:
            return [
                (await ask("/brim/", **{"X-Real-IP": ip}))[0] for ip in ("192.0.2.7", "2001:db8::1", "127.0.0.1", "::1")
            ]

    assert _run(main, tmp_path) == [403, 403, 200, 200]


def test_names_of_others_and_short_tokens_are_errors_of_the_plan():
    engine = brim.Engine(memory="128MiB")
    with pytest.raises(PlanError, match="needs a token"):
        dashboard_app(engine, hosts=("brim.example",))
    with pytest.raises(PlanError, match="16 characters"):
        dashboard_app(engine, token="short")


def test_it_can_be_mounted_in_a_service(tmp_path):
    async def main():
        page = dashboard_app(brim.Engine(memory="128MiB"), token=TOKEN, hosts=("127.0.0.1", "service.example"))
        async with _mounted(page) as ask:
            return [
                await ask("/brim/"),
                await ask(f"/brim?token={TOKEN}"),
                await ask("/brim"),
                await ask("/brim/"),
                await ask("/brim/style.css", Host="service.example"),
                await ask("/brim/", Host="evil.example"),
                await ask("/"),
            ]

    before, exchange, bare, page, by_name, forged, outside = _run(main, tmp_path)
    assert before[0] == 401
    assert exchange[:2] == (303, "/brim/")
    assert "Path=/brim/" in exchange[2]
    assert bare[:2] == (302, "/brim/")
    assert [page[0], by_name[0], forged[0], outside[0]] == [200, 200, 421, 404]
