"""Function table: writes `reference/expressions.md` from the methods of expressions and the examples of the functions.

Run as ``python docs/function_table.py``; `make docs` does it.
"""

from __future__ import annotations

import ast
import doctest
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import brim
from brim.operators.expressions.functions import FUNCTIONS
from brim.pipeline.expression import Expr

PAGE = Path(__file__).parent / "reference" / "expressions.md"

_HEAD = """\
# Expressions

<!-- Written by docs/function_table.py from the docstrings: run `make docs` instead of editing. -->

An expression computes a column from columns; it does nothing until it meets a pipeline, which checks its types.
`col("price") * 2 > 10` is one, and so is every method below.
Python's operators work: `+ - * / // % **`, `== != < <= > >=`, and `& | ^ ~` for and, or, exclusive or, not (never `and`, `or`, `not`).
Names and meanings are those of Polars; types are Arrow's ([types](../explanation/types.md)).

- A null gives null, unless the text says otherwise.
- `+ - *` of integers that overflow, text that is no number and casts that do not fit are errors (`ExpressionFailed`, with the value and the row), not wrapped numbers.
- What waits, inflates or calls Python (`.url.download`, `.image`, `.bin.decompress`, user functions) becomes a stage of its own; everything else in one method is computed together.

Examples show columns as lists: `[1, 2], 10 → [11, 12]` reads: for a column of 1 and 2, and the literal 10.
"""

_STARTS = ("col", "lit", "when", "coalesce", "concat_str", "struct", "min_horizontal", "max_horizontal", "len")
_OPERATORS = {
    "add": "+",
    "subtract": "-",
    "multiply": "*",
    "divide": "/",
    "floor_divide": "//",
    "modulo": "%",
    "pow": "**",
    "negate": "- (one operand)",
    "equal": "==",
    "not_equal": "!=",
    "less": "<",
    "less_equal": "<=",
    "greater": ">",
    "greater_equal": ">=",
    "and": "&",
    "or": "\\|",
    "xor": "^",
    "not": "~",
}
_EXAMPLE_MAX = 120
_NAMESPACES = ("str", "dt", "list", "struct", "bin", "json", "url", "image", "embedding")


def page() -> str:
    """The page as it should be."""
    parts = [_HEAD, _section("Where expressions begin", ((name, getattr(brim, name), "") for name in _STARTS))]
    parts.append(_operators())
    plain = [(name, method) for name, method in _methods(Expr) if name != "name"]
    is_aggregate = {name: _first_line(method).startswith("Aggregate:") for name, method in plain}
    parts.append(_section("Methods", ((name, method, "") for name, method in plain if not is_aggregate[name])))
    aggregates = [(name, method, "") for name, method in plain if is_aggregate[name]]
    parts.append(_section("Aggregates, for `agg`", aggregates))
    for name in _NAMESPACES:
        kind = type(getattr(brim.col("x"), name))
        made = [(method_name, method, name) for method_name, method in _methods(kind)]
        parts.append(_section(f"`.{name}`: {_first_line(getattr(Expr, name)).removesuffix('.').lower()}", made))
    return "\n".join(parts)


def _section(title: str, methods: Any) -> str:
    lines = [f"## {title}", "", "| | what it gives | example |", "|---|---|---|"]
    for name, method, namespace in methods:
        place = f".{namespace}" if namespace and name != "__call__" else ""
        shown = f"{place}.{name}" if place else namespace and f".{namespace}" or name
        example = _example(f"{namespace}.{name}" if namespace else name)
        lines.append(f"| `{shown}{_signature(method)}` | {_cell(_first_line(method))} | {example} |")
    return "\n".join([*lines, ""])


def _operators() -> str:
    lines = ["## Operators", "", "| | what it gives | example |", "|---|---|---|"]
    for name, sign in _OPERATORS.items():
        lines.append(f"| `{sign}` | {_cell(FUNCTIONS[name].doc.partition(chr(10))[0])} | {_example(name)} |")
    return "\n".join([*lines, ""])


def _methods(kind: type) -> Iterator[tuple[str, Callable[..., Any]]]:
    """The public methods of `kind` in the order of the file, a second name for the same one left out."""
    seen: set[Any] = set()
    for name, method in vars(kind).items():
        public = not name.startswith("_") or name == "__call__"
        if public and inspect.isfunction(method) and method not in seen:
            seen.add(method)
            yield name, method


def _signature(method: Callable[..., Any]) -> str:
    parameters = [p.replace(annotation=inspect.Parameter.empty) for p in inspect.signature(method).parameters.values()]
    kept = [p for p in parameters if p.name != "self"]
    return str(inspect.Signature(kept)).replace("|", "\\|")


def _first_line(method: Any) -> str:
    return (inspect.getdoc(method) or "").partition("\n\n")[0].replace("\n", " ")


def _cell(text: str) -> str:
    return text.removeprefix("Aggregate: ").replace("|", "\\|").replace("_", "\\_") if "`" not in text else text


def _example(name: str) -> str:
    """The first example of the function called `name`, without the call around it."""
    if name not in FUNCTIONS:
        return ""
    examples = doctest.DocTestParser().get_examples(FUNCTIONS[name].doc)
    source, want = examples[0].source.strip(), examples[0].want.strip()
    called = re.fullmatch(rf'call\("{re.escape(name)}", (.*)\)((?:\[.*\])?)', source, re.DOTALL)
    if called is None or "== call(" in source or len(source) > _EXAMPLE_MAX:
        return ""
    calls, results = called[1].split(f'), call("{name}", '), [want]
    if len(calls) > 1:
        results = [ast.unparse(result) for result in ast.parse(want, mode="eval").body.elts]
    part = f" {called[2]}" if called[2] else ""
    pairs = (f"`{given}{part} → {made}`" for given, made in zip(calls, results, strict=True))
    return ", ".join(pairs).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page())
