"""What tests need to know of Markdown pages: their code blocks, their links, their headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]

_FENCE = re.compile(r"^```(\w*)\s*$")
_MARK = re.compile(r"^<!-- (not run|from|prints)(?:: (.+))? -->$")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+)$")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, the line its text begins on, and the mark on the line above it.

    A mark is `not run: reason`, `from: path` for a block whose text stands in a file, or `prints` for what the code
    before it prints.
    """

    page: Path
    line: int
    language: str
    text: str
    mark: tuple[str, str] | None


def pages() -> list[Path]:
    top = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    return [*top, *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path) -> list[Block]:
    """The blocks of `page`, in order."""
    found, open_at, language, mark = [], None, "", None
    lines = page.read_text().splitlines()
    for number, line in enumerate(lines):
        fence = _FENCE.match(line)
        if fence and open_at is None:
            open_at, language = number, fence[1]
            above = _MARK.match(lines[number - 1]) if number else None
            mark = (above[1], above[2] or "") if above else None
        elif line.startswith("```") and open_at is not None:
            found.append(Block(page, open_at + 2, language, "\n".join(lines[open_at + 1 : number]) + "\n", mark))
            open_at = None
    assert open_at is None, f"{page}: the block at line {open_at} has no end"
    return found


def _prose(page: Path) -> Iterator[tuple[int, str]]:
    """The numbered lines outside blocks."""
    inside = False
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if line.startswith("```"):
            inside = not inside
        elif not inside:
            yield number, line


def links(page: Path) -> list[tuple[int, str]]:
    """The line and the target of each link."""
    return [(number, target) for number, line in _prose(page) for target in _LINK.findall(line)]


def anchors(page: Path) -> set[str]:
    """What `page#…` may say: the headings as GitHub writes them."""
    found: set[str] = set()
    for _, line in _prose(page):
        if heading := _HEADING.match(line):
            text = re.sub(r"[`*]", "", heading[1]).lower()
            found.add(re.sub(r"[^\w\- ]", "", text).replace(" ", "-"))
    return found
