"""Canaries: secrets that are nowhere but where they were put, and everything that a run says, to look for them in.

heard = Heard(tmp_path)
with heard.listening():
    await heard.run(pipeline, ...)
assert not heard.leaks()
"""

from __future__ import annotations

import logging
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

import brim

CANARIES = {
    "user": "canary-user-5d1f",
    "password": "canary-password-8a3c",
    "token": "canary-token-b77e",
    "signature": "canary-signature-0c92",
    "header": "canary-header-e4d0",
    "access key": "CANARYACCESSKEY61F2",
    "secret key": "canary-secret-key-9be5",
    "session": "canary-session-token-2f18",
    "row": "canary-row-d3a6",
    "configuration": "canary-configuration-7c40",
}
ROW, CONFIGURATION = CANARIES["row"], CANARIES["configuration"]
URL_PARTS = (
    f"{CANARIES['user']}:{CANARIES['password']}@",
    f"?token={CANARIES['token']}&X-Amz-Signature={CANARIES['signature']}",
)


def secret_url(url: str) -> str:
    """`url` with a user, a password, and what a signed URL has behind its question mark."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{URL_PARTS[0]}{rest}{URL_PARTS[1]}"


def found_in(text: str) -> list[str]:
    """Which secrets `text` holds."""
    return [name for name, secret in CANARIES.items() if secret.lower() in text.lower()]


def told_by(error: BaseException | None) -> Iterator[tuple[str, str]]:
    """All that an error says: as it is formatted, its repr and its fields, and those of what is behind it."""
    if error is None:
        return
    yield "traceback", "".join(traceback.format_exception(error))
    seen, todo = set(), [error]
    while todo:
        one = todo.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield f"{type(one).__name__}", f"{one!r} {one} {one.args!r} {vars(one)!r} {getattr(one, '__notes__', '')}"
        behind = (one.__cause__, None if one.__suppress_context__ else one.__context__)
        todo += [other for other in behind if other is not None]
        todo += list(getattr(one, "exceptions", ()))


@dataclass
class Heard:
    """All that a run has said, by where it said it."""

    folder: Path
    said: list[tuple[str, str]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    error: BaseException | None = None
    report: brim.Report | None = None

    def say(self, where: str, what: object) -> None:
        self.said.append((where, what if isinstance(what, str) else repr(what)))

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take what goes to structlog, configured as an application does, and to every logger of the process."""
        handler = _Handler(self)
        root, level = logging.getLogger(), logging.getLogger().level
        root.addHandler(handler)
        root.setLevel(logging.DEBUG)
        structlog.configure(
            processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=repr)],
            logger_factory=lambda *_: _Lines(self),
        )
        try:
            yield
        finally:
            structlog.reset_defaults()
            root.setLevel(level)
            root.removeHandler(handler)

    def on_event(self, event: dict[str, Any]) -> None:
        self.events.append(event)
        self.say("event", event)
        spill = self.folder / "spill"
        self.say("spill names", [str(place) for place in spill.rglob("*")] if spill.exists() else [])
        for child in _family():
            self.say("command line", Path(f"/proc/{child}/cmdline").read_bytes().decode(errors="replace"))

    async def run(self, pipeline: brim.Pipeline, **settings: Any) -> None:
        """Run it, and keep everything that it says of itself before, meanwhile and afterwards."""
        settings = {"memory": "256MiB", "spill_dir": self.folder / "spill", "processes": 1, **settings}
        self.say("repr", pipeline)
        self.say("html", pipeline._repr_html_())
        async with brim.Engine(max_runs=1, on_event=self.on_event, **settings) as engine:
            stream = engine.stream(pipeline)
            try:
                async with stream as batches:
                    async for _ in batches:
                        self.say("stats", engine.stats())
            except brim.BrimError as error:
                self.error = error
            with suppress(brim.BrimError):  # what could not begin has none
                self.report = stream.report
            try:
                self.say("explain", pipeline.explain(memory="1GiB"))
            except brim.BrimError as error:
                for where, what in told_by(error):
                    self.say(f"explain {where}", what)
        for where, what in told_by(self.error):
            self.say(f"error {where}", what)
        if self.report is not None:
            self.say("report", str(self.report))
            self.say("report", self.report)
            self.say("report", self.report.to_dict())
            self.say("report", self.report.to_html())

    def declare(self, make: Any) -> None:
        """Keep what a declaration that cannot be is refused with."""
        try:
            make()
        except brim.BrimError as error:
            self.error = error
            for where, what in told_by(error):
                self.say(f"error {where}", what)

    def leaks(self, *allowed: str) -> list[str]:
        """Where which secret was said, each once; `allowed` are places where a row may be."""
        found = {(where, name, what) for where, what in self.said for name in found_in(what)}
        wrong = (one for one in found if one[1] != "row" or not allowed or not one[0].startswith(allowed))
        return sorted({f"{name} in {where}: {_around(what, name)}" for where, name, what in wrong})


class _Handler(logging.Handler):
    def __init__(self, heard: Heard) -> None:
        super().__init__(logging.DEBUG)
        self.heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.say(f"log of {record.name}", f"{self.format(record)} {vars(record)!r}")


@dataclass
class _Lines:
    heard: Heard

    def msg(self, line: str) -> None:
        self.heard.say("log line", line)

    debug = info = warning = error = exception = msg


def _family() -> Iterator[int]:
    """The processes that this one has started, and those that they have."""
    todo = [os.getpid()]
    while todo:
        pid = todo.pop()
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            try:
                children = [int(child) for child in task.read_text().split()]
            except OSError:
                continue
            yield from children
            todo += children


def _around(text: str, name: str) -> str:
    at = text.lower().index(CANARIES[name].lower())
    return text[max(0, at - 60) : at + 40].replace("\n", "\\n")
