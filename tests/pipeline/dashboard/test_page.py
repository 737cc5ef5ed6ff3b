"""The page in a real browser: it draws what runs, shows names as text, and keeps other sites out."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import anyio
import pyarrow as pa
import pytest
from aiohttp import web
from browser import CHROMIUM, browser
from page_kit import shown

import brim
from brim import col

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no browser here")]

TOKEN = "a-token-of-some-length"
MEMORY = "4GiB"  # the browser is a child of this process, and grows
EVIL = "<script>document.title='taken'</script><img src=x onerror=document.title='taken'>"
SCHEMA = pa.schema([("n", pa.int64())])


def _run(main):
    return asyncio.run(main())


@asynccontextmanager
async def _opened(folder, *, path="", flags=(), size=(1400, 1000), **settings):
    """The page of an engine, in a browser."""
    async with browser(folder / "browser", *flags) as tab:
        async with shown(folder / "spill", memory=MEMORY, **settings) as page:
            await tab.open(page.url + path, *size)
            await tab.until("document.body.className === 'live'")
            yield page, tab


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "spill").mkdir()
    return tmp_path


def _held(gate):
    async def source():
        yield pa.record_batch({"n": pa.array(range(1000))})
        await gate.wait()
        yield pa.record_batch({"n": pa.array(range(1000))})

    return brim.from_batches(source, SCHEMA)


@asynccontextmanager
async def _under_way(page, make):
    """A run of `make(source)` that ends with the block."""
    gate = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(page.engine.run, make(_held(gate)))
        yield
        gate.set()


def _texts(selector):
    return f"[...document.querySelectorAll({selector!r})].map(node => node.textContent)"


def test_a_run_is_drawn_and_then_finished(folder):
    async def main():
        async with _opened(folder) as (page, tab):
            idle = await tab.until("!document.getElementById('idle').hidden")
            async with _under_way(page, lambda source: source.filter(col("n") % 2 == 0).sort("n")):
                await tab.until("document.querySelectorAll('.box').length === 4")
                await tab.until(f"{_texts('.box .rows')}[0] === '1,000 rows'")
                names = await tab.run(_texts(".box strong"))
                pipes = await tab.run("document.querySelectorAll('.pipe').length")
                layers = await tab.until("document.querySelectorAll('#plot .layer').length")
            outcome = await tab.until(f"{_texts('#finished td.good')}[0]")
            events = await tab.until(f"{_texts('#events b')}.includes('run.stop') && {_texts('#events b')}")
            return idle, names, pipes, layers, outcome, events, tab.said

    idle, names, pipes, layers, outcome, events, said = _run(main)
    assert idle
    assert names == ["from_batches", "filter", "sort", "consumer"]
    assert (pipes, layers, outcome) == (3, 4, "ok")
    assert "run.start" in events
    assert said == []  # nothing thrown, and nothing that the policy had to stop


def test_the_bottleneck_is_named_with_what_it_lacks(folder):
    """In a tile, beside the run, and by the frame of its box."""

    async def main():
        async with _opened(folder) as (page, tab):
            async with _under_way(page, lambda source: source.filter(col("n") % 2 == 0).sort("n")):
                await tab.until(f"{_texts('.tile.root .value')}[0] === 'from_batches-1'")
                await tab.until(f"{_texts('.verdict')}[0].startsWith('waits for from_batches-1: input, ')")
                note = await tab.run(_texts(".tile.root .note"))
                return note, await tab.run(_texts(".box.root strong"))

    (note,), framed = _run(main)
    assert note.startswith("input: ")
    assert note.endswith("% of the waiting lately")
    assert framed == ["from_batches"]


def test_names_are_shown_as_text(folder):
    async def main():
        async with _opened(folder) as (page, tab):
            async with _under_way(page, lambda source: source.with_columns(**{EVIL: col("n")})):
                detail = await tab.until(f"{_texts('.box .detail')}[1]")
                page.tap.tell("worker.output", {"function": EVIL, "pid": 1, "text": EVIL})
                page.tap.tell(EVIL, {"what": EVIL, "operator_id": EVIL})
                said = await tab.until(f"{_texts('#events .text')}.find(text => text.startsWith('what='))")
                kinds = await tab.run(_texts("#kinds button"))
                found = await tab.run("[document.title, document.querySelectorAll('main script, main img').length]")
            return detail, said, kinds, found, tab.said

    detail, said, kinds, found, errors = _run(main)
    assert EVIL in detail
    assert said == f"what={EVIL}"
    assert any("<script>" in kind for kind in kinds)
    assert found == ["brim", 0]
    assert errors == []


def test_it_says_when_the_engine_is_gone_and_comes_back(folder):
    async def main():
        async with browser(folder / "browser") as tab:
            async with shown(folder / "spill", memory=MEMORY) as page:
                address = page.url.removeprefix("http://").rstrip("/")
                await tab.open(page.url)
                await tab.until("document.body.className === 'live'")
            await tab.until("document.body.className === 'gone'")
            notice = await tab.until(
                "!document.getElementById('notice').hidden && document.getElementById('notice').textContent"
            )
            async with shown(folder / "spill", address=address, memory="5GiB"):
                await tab.until("document.body.className === 'live'")
                return notice, await tab.until(f"{_texts('.tile .note')}.find(text => text.startsWith('of 5.0 GiB'))")

    notice, _ = _run(main)
    assert notice.startswith("The engine is gone. This is how it stood ")
    assert notice.endswith("Trying again.")


@pytest.mark.parametrize("width", [320, 390, 768, 1400])
def test_it_fits_any_width(folder, width):
    def joined(source):
        other = brim.range(1000).with_columns(n=col("id"))
        return (
            source.with_columns(a_rather_long_name_of_a_column=col("n") * 2).join(other, on="n").sort("n").select("n")
        )

    async def main():
        async with _opened(folder, size=(width, 800)) as (page, tab):
            async with _under_way(page, joined):
                await tab.until("document.querySelectorAll('.box').length > 5")
                return await tab.run("[document.documentElement.scrollWidth, window.innerWidth]")

    scrolled, inner = _run(main)
    assert scrolled <= inner == width


def test_events_can_be_filtered(folder):
    async def main():
        async with _opened(folder) as (page, tab):
            page.tap.tell("spill.write", {"operator_id": "sort-1", "bytes": 5})
            page.tap.tell("worker.start", {"function": "embed", "pid": 7, "base_bytes": 1, "start_s": 1})
            shown_first = await tab.until(f"{_texts('#events b')}.length === 2 && {_texts('#events b')}")
            await tab.run(
                "[...document.querySelectorAll('#kinds button')].find(b => b.textContent.startsWith('spill')).click()"
            )
            without = await tab.run(_texts("#events b"))
            await tab.run(
                "(f => { f.value = 'nobody'; f.dispatchEvent(new Event('input')); })(document.getElementById('filter'))"
            )
            return shown_first, without, await tab.run(_texts("#events b"))

    assert _run(main) == (["worker.start", "spill.write"], ["worker.start"], [])


def test_the_token_stays_neither_in_the_address_nor_where_scripts_are(folder):
    async def main():
        async with _opened(folder, token=TOKEN, path=f"?token={TOKEN}") as (_, tab):
            return await tab.run("[location.href, document.cookie, document.documentElement.outerHTML]")

    href, cookie, html = _run(main)
    assert TOKEN not in href + cookie + html
    assert cookie == ""


TRIES = """Promise.all([
    fetch(URL + 'events').then(() => 'read', () => 'refused'),
    fetch(URL, {mode: 'no-cors', method: 'POST', body: 'x'}).then(r => r.type, () => 'refused'),
    new Promise(done => { const s = new EventSource(URL + 'events'); s.onopen = () => done('read'); s.onerror = () => done('refused'); }),
    new Promise(done => { const s = document.createElement('script'); s.src = URL + 'page.js'; s.onload = () => done('read'); s.onerror = () => done('refused'); document.head.append(s); }),
    new Promise(done => { const s = new Image(); s.src = URL + 'icon.svg'; s.onload = () => done('read'); s.onerror = () => done('refused'); }),
])"""


def test_a_page_of_another_site_gets_nothing(folder):
    async def main():
        async def page_of_others(_):
            return web.Response(text="<!doctype html><title>other</title>", content_type="text/html")

        app = web.Application()
        app.router.add_get("/", page_of_others)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            async with browser(folder / "browser") as tab, shown(folder / "spill", memory=MEMORY) as page:
                await tab.open(f"http://127.0.0.1:{runner.addresses[0][1]}/")
                await tab.until("document.title === 'other'")
                return await tab.run(TRIES.replace("URL", repr(page.url)))
        finally:
            await runner.cleanup()

    assert _run(main) == ["refused"] * 5


def test_a_name_of_somebody_else_that_leads_here_shows_nothing(folder):
    """DNS rebinding: the browser takes the page for one of `evil.example`."""

    async def main():
        flags = ("--host-resolver-rules=MAP evil.example 127.0.0.1",)
        async with browser(folder / "browser", *flags) as tab, shown(folder / "spill", memory=MEMORY) as page:
            await tab.open(page.url.replace("127.0.0.1", "evil.example"))
            return await tab.until("document.body && document.body.textContent")

    assert "not a name of the dashboard" in _run(main)
