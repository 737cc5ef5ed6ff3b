"""Elements: markup that cannot be broken by what it shows. Text is escaped, unless it is markup made here."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

VOID = frozenset({"meta"})


class Markup(str):
    """Text that is markup already: made by `tag`, or written by us."""

    __slots__ = ()


Child = str | Iterable["Child"] | None
"""Markup, or text that will be escaped; None is nothing."""


def tag(name: str, /, *children: Child, **attributes: str | float | None) -> Markup:
    """An element. Attributes are named as in Python (`class_`, `stroke_width`); those that are None are left out.

    >>> tag("p", "a < b", tag("b", "!"), class_='"')
    '<p class="&quot;">a &lt; b<b>!</b></p>'
    """
    given = "".join(
        f' {_attribute(key)}="{escape(_value(value))}"' for key, value in attributes.items() if value is not None
    )
    return Markup(f"<{name}{given}>" if name in VOID else f"<{name}{given}>{joined(children)}</{name}>")


def joined(children: Iterable[Child]) -> Markup:
    """Children one after another, escaped where they are text.

    >>> joined(["<", Markup("<br>"), None, [">"]])
    '&lt;<br>&gt;'
    """
    return Markup("".join(_child(child) for child in children))


def _child(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Markup):
        return child
    return escape(child) if isinstance(child, str) else joined(child)


def _attribute(key: str) -> str:
    """`class_` is class, `stroke_width` stroke-width; SVG's own `viewBox` stays what it is."""
    return key.rstrip("_").replace("_", "-")


def _value(value: str | float) -> str:
    """A number as short as may be: a page has thousands of them.

    >>> _value(3.04), _value(2.0), _value("x")
    ('3', '2', 'x')
    """
    return value if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")
