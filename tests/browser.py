"""A headless Chromium, driven over its DevTools protocol: opens a page, runs scripts in it, takes pictures."""

from __future__ import annotations

import asyncio
import base64
import itertools
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--hide-scrollbars",
)
_START_S = 60


@dataclass(eq=False)
class Page:
    """One tab. `said` is what the page wrote to its console and what it threw."""

    socket: aiohttp.ClientWebSocketResponse
    said: list[str] = field(default_factory=list)
    _loads: int = 0
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    async def do(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call `method` of the protocol."""
        number = next(self._numbers)
        await self.socket.send_json({"id": number, "method": method, "params": parameters})
        while True:
            message = await self.socket.receive_json()
            self._hear(message)
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]

    def _hear(self, message: dict[str, Any]) -> None:
        if message.get("method") == "Page.loadEventFired":
            self._loads += 1
        elif message.get("method") == "Runtime.exceptionThrown":
            self.said.append(str(message["params"]["exceptionDetails"]))
        elif message.get("method") == "Log.entryAdded":
            self.said.append(message["params"]["entry"]["text"])

    async def open(self, url: str, width: int = 1400, height: int = 1000, *, dark: bool = False) -> None:
        for domain in ("Runtime", "Log", "Page"):
            await self.do(f"{domain}.enable")
        await self.look(width, height, dark=dark)
        loads = self._loads
        await self.do("Page.navigate", url=url)
        while self._loads == loads:
            self._hear(await self.socket.receive_json())

    async def look(self, width: int, height: int, *, dark: bool = False) -> None:
        """A window of that size, by day or by night."""
        mobile = width < 600
        await self.do(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.do("Emulation.setEmulatedMedia", features=[scheme])

    async def run(self, script: str) -> Any:
        """The value of `script`, awaited where it is a promise."""
        result = await self.do("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    async def until(self, script: str) -> Any:
        """The value of `script` once it is true; it is asked at every frame of the page."""
        asked = f"new Promise(done => {{ const ask = () => {{ const value = {script}; value ? done(value) : setTimeout(ask, 20); }}; ask(); }})"
        return await self.run(asked)

    async def picture(self, file: Path, *, whole: bool = True) -> None:
        shot = await self.do("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(shot["data"]))


@asynccontextmanager
async def browser(folder: Path, *flags: str) -> AsyncIterator[Page]:
    """A browser with one empty tab, whose files lie in `folder`; gone with all its processes after the block."""
    assert CHROMIUM is not None
    command = (CHROMIUM, *_FLAGS, *flags, "--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank")
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, start_new_session=True
    )
    try:
        async with asyncio.timeout(_START_S):
            address = await _address(process.stderr)
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://{address}/json/list") as answer:
                tab = next(tab for tab in await answer.json() if tab["type"] == "page")
            async with session.ws_connect(tab["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                yield Page(socket)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def _address(errors: asyncio.StreamReader) -> str:
    """Where the browser listens, as it says on its standard error."""
    async for line in errors:
        if b"DevTools listening on ws://" in line:
            return line.decode().split("ws://")[1].split("/")[0]
    raise AssertionError("the browser ended before it listened")
