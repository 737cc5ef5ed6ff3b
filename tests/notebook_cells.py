"""Runs the code cells of a notebook, in order and in one namespace, as Jupyter does: `await` at the top, the last value shown.

`python -m notebook_cells ../examples/notebook.ipynb` (in `tests/`) writes what they show into the notebook. A kernel is
not needed for that, and none is started.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import io
import json
import os
import sys
import tempfile
from contextlib import chdir, redirect_stdout
from pathlib import Path
from typing import Any

Output = dict[str, Any]


def cells(path: Path) -> list[dict[str, Any]]:
    """The code cells."""
    return [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]


def run(path: Path, folder: Path) -> list[list[Output]]:
    """What each code cell shows, run in `folder`."""
    names: dict[str, Any] = {"__name__": "__main__"}
    with chdir(folder), asyncio.Runner() as loop:
        return [_run_cell("".join(cell["source"]), names, loop) for cell in cells(path)]


def _run_cell(source: str, names: dict[str, Any], loop: asyncio.Runner) -> list[Output]:
    body = ast.parse(source).body
    last = body.pop() if isinstance(body[-1], ast.Expr) else None
    with redirect_stdout(io.StringIO()) as printed:
        _evaluate(ast.Module(body, []), "exec", names, loop)
        value = None if last is None else _evaluate(ast.Expression(last.value), "eval", names, loop)
    text = printed.getvalue()
    said = [{"name": "stdout", "output_type": "stream", "text": text.splitlines(keepends=True)}] if text else []
    return said if value is None else [*said, _shown(value)]


def _evaluate(tree: ast.Module | ast.Expression, mode: str, names: dict[str, Any], loop: asyncio.Runner) -> Any:
    code = compile(tree, "notebook", mode, ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    value = eval(code, names)
    return loop.run(value) if code.co_flags & inspect.CO_COROUTINE else value


def _shown(value: Any) -> Output:
    data = {"text/plain": repr(value).splitlines(keepends=True)}
    if hasattr(value, "_repr_html_"):
        data["text/html"] = value._repr_html_().splitlines(keepends=True)
    return {"data": data, "execution_count": None, "metadata": {}, "output_type": "execute_result"}


def main() -> None:
    path = Path(sys.argv[1]).absolute()
    notebook = json.loads(path.read_text())
    with tempfile.TemporaryDirectory() as folder:
        shown = run(path, Path(folder))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for number, (cell, outputs) in enumerate(zip(code, shown, strict=True), 1):
        cell["execution_count"] = number
        cell["outputs"] = [{**o, "execution_count": number} if "execution_count" in o else o for o in outputs]
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + os.linesep)


if __name__ == "__main__":
    main()
