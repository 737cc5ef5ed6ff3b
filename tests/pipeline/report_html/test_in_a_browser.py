"""The page of a report in a real browser: it shows values under the pointer, asks for nothing, and runs nothing foreign."""

from __future__ import annotations

import anyio
import made_reports
import pytest
from browser import CHROMIUM, browser

from brim.pipeline.history import Sample
from brim.pipeline.report import Bottleneck, OperatorReport, Report, WaitChain
from brim.sizes import MIB

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no browser here")]


def operator(name, *inputs, busy=1.0, waits=1.0, **more):
    return OperatorReport(
        name, name, 400, 400, MIB, MIB, busy, waits, 0, 0, 0, 0, 0, "computing", "", inputs, MIB, **more
    )


def sample(second, grown):
    times = ((0.5 * second, 0.5 * second, 0.0, 0.0, 0.0),) * 2
    root = ("embed-2", None)
    return Sample(
        float(second), grown, 60 * MIB, 10 * MIB, 3 * MIB, 2 * MIB, 0, 0, (100 * second,) * 2, (MIB, 0), (1, 0), times,
        ("input", "busy"), root,
    )  # fmt: skip


REPORT = Report(
    400, 4.0, 20 * MIB, 30 * MIB, 0, Bottleneck("embed-2", "cpu", 0.9, "use `threads=`"),
    (operator("read-1"), operator("embed-2", 0)), ("read-1: a file: gone",), 64 * MIB,
    WaitChain(("read-1", "embed-2"), "cpu", 0.8), tuple(sample(second, second * 7 * MIB) for second in (1, 2, 3, 4)),
)  # fmt: skip
HOSTILE = "".join(made_reports.HOSTILE[:9])


def seen(report, tmp_path, look):
    """What `look` finds on the page of `report`, and what the browser had to say of it."""

    async def main():
        report.save_html(tmp_path / "report.html")
        async with browser(tmp_path / "browser") as page:
            await page.open((tmp_path / "report.html").as_uri())
            found = await look(page)
            assert page.said == []
            assert await page.run("performance.getEntriesByType('resource').length") == 0
            return found

    return anyio.run(main)


async def hover(page, plot, part):
    """The words under the pointer at this part of the time of `plot`."""
    box = await page.run(
        f"(() => {{ const plot = document.querySelector('[data-plot={plot}]'); plot.scrollIntoView({{block: 'center'}});"
        " const box = plot.getBoundingClientRect(), data = JSON.parse(document.getElementById('values').textContent);"
        " return [box.left, box.top + box.height / 2, box.width / data.width, data.left, data.right]; })()"
    )
    left, middle, scale, first, last = box
    x = left + scale * (first + part * (last - first))
    await page.do("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=middle)
    return await page.until("document.getElementById('readout').hidden || document.getElementById('readout').innerText")


def test_the_values_of_a_moment_are_under_the_pointer(tmp_path):
    async def look(page):
        return [await hover(page, plot, 0.6) for plot in ("memory", "waits", "rates", "queues")]

    memory, waits, rates, queues = (text.split("\n") for text in seen(REPORT, tmp_path, look))
    assert float(memory[0].split()[0]) == pytest.approx(2.4, abs=0.02)
    assert memory[memory.index("floors") + 1] == "10.0 MiB"
    assert memory[memory.index("tree grew by") + 1] == "21.0 MiB"  # of the sample that ends at three seconds
    assert waits[1:] == ["read-1", "waits: input, for embed-2", "embed-2", "busy"]
    assert rates[1:] == ["read-1", "100 rows/s", "embed-2", "100 rows/s"]
    assert queues[1:] == ["read-1 → embed-2", "1.0 MiB", "embed-2 → consumer", "0 B"]


def test_it_fits_its_window_by_day_and_by_night(tmp_path):
    async def look(page):
        found = []
        for width in (1400, 700, 400):
            for dark in (False, True):
                await page.look(width, 900, dark=dark)
                wide = await page.run("document.documentElement.scrollWidth")
                found.append((width, wide, await page.run("getComputedStyle(document.body).backgroundColor")))
        return found

    found = seen(REPORT, tmp_path, look)
    assert [wide for _, wide, _ in found] == [width for width, _, _ in found]
    assert len({colour for _, _, colour in found}) == 2


def test_hostile_text_is_text(tmp_path):
    names = [HOSTILE + str(number) for number in range(2)]
    hostile = Report(
        1, 4.0, 1, 1, 1, Bottleneck(names[1], HOSTILE, 0.5, HOSTILE),
        (operator(names[0]), operator(names[1], 0, outside_s=((HOSTILE, 1.0),))), (HOSTILE,), MIB,
        WaitChain((HOSTILE,), HOSTILE, 1.0), REPORT.history,
    )  # fmt: skip

    async def look(page):
        under = await hover(page, "waits", 0.5)
        return under, await page.run("[...document.querySelectorAll('script, img, style')].length")

    under, count = seen(hostile, tmp_path, look)
    assert "alert(1)" in under
    assert count == 3  # our values, our script, our style
