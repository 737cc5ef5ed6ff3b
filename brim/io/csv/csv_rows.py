"""CSV rows: where rows end, told as pyarrow's parser tells it.

A quote opens a value only where a value begins; elsewhere it is a character. Line ends within quotes end no row. One
expression runs over a block; nothing in it goes back, so its time and memory do not depend on what it meets.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_VALUE = rb'[^"]*+(?:""[^"]*+)*+'


@dataclass(frozen=True, slots=True)
class RowEnds:
    """The row ends of a dialect."""

    rows: re.Pattern[bytes]
    outside: re.Pattern[bytes]
    inside: re.Pattern[bytes]

    def whole_rows(self, text: bytes) -> int:
        r"""How many bytes of `text`, which begins where a row does, are whole rows.

        >>> row_ends(",").whole_rows(b'a,5"\n1,"x\ny"\n2,"z\n')
        13
        """
        if b'"' not in text:
            return max(text.rfind(b"\n"), text.rfind(b"\r")) + 1
        found = self.rows.match(text)
        return found.end() if found is not None else 0


def row_ends(delimiter: str, *, quoting: bool = True) -> RowEnds:
    """How rows end where values are parted by `delimiter`, and may be quoted."""
    if not quoting:
        return RowEnds(re.compile(rb"(?:[^\r\n]*+[\r\n])*+"), re.compile(rb"[^\r\n]*+"), re.compile(b""))
    starts = rb"[\r\n" + re.escape(delimiter.encode()) + rb"]"
    lone = rb"(?<!" + starts + rb')"'
    quoted = rb"(?:\A|(?<=" + starts + rb'))"' + _VALUE + rb'"'
    row = rb"(?:" + quoted + rb'[^"\r\n]*+|[^"\r\n]++|(?!\A)' + lone + rb")*+[\r\n]"
    outside = rb'(?:[^"\r\n]++|' + lone + rb")*+"
    return RowEnds(re.compile(rb"(?:" + row + rb")*+"), re.compile(outside), re.compile(_VALUE))


@dataclass(eq=False, slots=True)
class RowScan:
    """Looks for the end of a row that comes block by block; no block but the last ends with a quote."""

    ends: RowEnds
    quoted: bool = field(default=False, init=False)
    _before: bytes = field(default=b"\n", init=False)

    def find_end(self, block: bytes) -> int | None:
        """Where in `block` the row ends; None when it goes on behind it."""
        text, at = self._before + block, 1
        while True:
            found = (self.ends.inside if self.quoted else self.ends.outside).match(text, at)
            at = found.end() if found is not None else at
            if at == len(text):
                self._before = text[-1:]
                return None
            if text[at] != ord('"'):
                return at
            at, self.quoted = at + 1, not self.quoted
