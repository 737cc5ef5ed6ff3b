"""The expression tree: what is to be computed from the columns of a batch.

    Column ─┐
    Literal ┼─ Call ── Cast ── When ── Alias          computed in place, by `evaluate`
            ├─ Aggregate                              many rows to one: group_by and agg only
            └─ Apply                                  waits, calls Python or inflates: an operator of its own

Trees are frozen, picklable and compare by value, so rules rewrite them freely and a plan can cross to another machine.
Types are not stored: `evaluate.infer` finds them against a schema.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import pyarrow as pa


class Step(Protocol):
    """What an `Apply` does to its arguments, each a column; the planner makes an operator of it."""

    @property
    def name(self) -> str: ...

    def returns(self, types: tuple[pa.DataType, ...]) -> pa.DataType:
        """The type of the result for arguments of `types`; raises `SchemaMismatch` when they do not fit."""


@dataclass(frozen=True, slots=True)
class Column:
    """The column called `name`."""

    name: str


@dataclass(frozen=True, slots=True)
class Literal:
    """One value for all rows; without a `type` it takes the type of what it meets, as Polars does."""

    value: pa.Scalar
    type: pa.DataType | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the table, over arguments, with constant options."""

    function: str
    arguments: tuple[Tree, ...]
    options: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Cast:
    """`argument` as `type`; a value that does not fit is an error when `strict`, else null."""

    argument: Tree
    type: pa.DataType
    strict: bool = True


@dataclass(frozen=True, slots=True)
class When:
    """The value of the first branch (condition, value) whose condition is true, else `otherwise`."""

    branches: tuple[tuple[Tree, Tree], ...]
    otherwise: Tree


@dataclass(frozen=True, slots=True)
class Alias:
    """`argument` under another name."""

    argument: Tree
    name: str


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Many rows made one; `len` has no argument."""

    function: str
    argument: Tree | None = None
    options: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Apply:
    """A step that is an operator of its own, over its arguments."""

    step: Step
    arguments: tuple[Tree, ...]


Tree = Column | Literal | Call | Cast | When | Alias | Aggregate | Apply


def children(tree: Tree) -> tuple[Tree, ...]:
    """The trees right below `tree`, in the order they are written."""
    match tree:
        case Column() | Literal():
            return ()
        case Call(arguments=arguments) | Apply(arguments=arguments):
            return arguments
        case Cast(argument=argument) | Alias(argument=argument):
            return (argument,)
        case Aggregate(argument=maybe):
            return () if maybe is None else (maybe,)
        case When(branches=branches, otherwise=otherwise):
            return (*(part for branch in branches for part in branch), otherwise)


def walk(tree: Tree) -> Iterator[Tree]:
    """`tree` and everything below it, parents first, left to right."""
    stack = [tree]
    while stack:
        yield (current := stack.pop())
        stack.extend(reversed(children(current)))


def transform(tree: Tree, function: Callable[[Tree], Tree]) -> Tree:
    """`tree` rebuilt from its leaves up, every node replaced by `function(node)`.

    >>> rename = lambda node: Column("b") if node == Column("a") else node
    >>> describe(transform(Call("add", (Column("a"), Column("c"))), rename))
    'col("b") + col("c")'
    """
    below = children(tree)
    made = tuple(transform(child, function) for child in below)
    changed = any(new is not old for new, old in zip(made, below, strict=True))
    return function(_with_children(tree, made) if changed else tree)


def _with_children(tree: Tree, made: tuple[Tree, ...]) -> Tree:
    match tree:
        case Call() | Apply():
            return replace(tree, arguments=made)
        case Cast() | Alias() | Aggregate():
            return replace(tree, argument=made[0])
        case When():
            pairs = tuple(zip(made[:-1:2], made[1::2], strict=True))
            return When(pairs, made[-1])
        case _:
            return tree


def columns_of(tree: Tree) -> tuple[str, ...]:
    """The columns that `tree` reads, each once, in the order they are met.

    >>> columns_of(Call("add", (Column("b"), Call("multiply", (Column("a"), Column("b"))))))
    ('b', 'a')
    """
    return tuple(dict.fromkeys(node.name for node in walk(tree) if isinstance(node, Column)))


def applies_in(tree: Tree) -> tuple[Apply, ...]:
    """The steps in `tree`, each once, those that others wait for first."""
    found = [node for node in walk(tree) if isinstance(node, Apply)]
    return tuple(dict.fromkeys(reversed(found)))


def has_aggregate(tree: Tree) -> bool:
    """Whether `tree` makes one row of many."""
    return any(isinstance(node, Aggregate) for node in walk(tree))


def name_of(tree: Tree) -> str:
    """The name of the column that `tree` makes: its alias, else its left-most column, as in Polars.

    >>> name_of(Call("add", (Column("a"), Column("b")))), name_of(Aggregate("len"))
    ('a', 'len')
    """
    match tree:
        case Alias(name=name) | Column(name=name):
            return name
        case When(branches=branches):
            return name_of(branches[0][1])
        case Aggregate(function=function, argument=None):
            return function
        case Literal():
            return "literal"
        case _:
            names = [name_of(child) for child in children(tree) if not isinstance(child, Literal)]
            return names[0] if names else "literal"


def describe(tree: Tree) -> str:
    """`tree` as a user would write it, for `explain` and for errors.

    >>> describe(Call("greater", (Call("multiply", (Column("price"), literal(2))), literal(10))))
    'col("price") * 2 > 10'
    """
    return _write(tree)[0]


def literal(value: Any, type: pa.DataType | None = None) -> Literal:  # noqa: A002 - the word pyarrow and Polars use
    """A literal of a Python value or a `pa.Scalar`; a scalar keeps its type, a Python value without `type` adapts.

    >>> literal(3).type, literal(3, pa.int8()).type, literal(pa.scalar(3)).type
    (None, DataType(int8), DataType(int64))
    """
    if isinstance(value, pa.Scalar):
        scalar = value if type is None else value.cast(type)
        return Literal(scalar, scalar.type)
    if isinstance(value, int) and not isinstance(value, bool) and type is None and value >= 1 << 63:
        return Literal(pa.scalar(value, pa.uint64()), None)
    if value is None and type is not None:  # `pa.scalar` knows no list of tensors
        return Literal(pa.nulls(1, type)[0], type)
    return Literal(pa.scalar(value, type), type)


_INFIX = {
    "or": ("|", 1),
    "xor": ("^", 2),
    "and": ("&", 3),
    "equal": ("==", 0),
    "not_equal": ("!=", 0),
    "less": ("<", 0),
    "less_equal": ("<=", 0),
    "greater": (">", 0),
    "greater_equal": (">=", 0),
    "add": ("+", 5),
    "subtract": ("-", 5),
    "multiply": ("*", 6),
    "divide": ("/", 6),
    "floor_divide": ("//", 6),
    "modulo": ("%", 6),
}
_PREFIX = {"not": "~", "negate": "-"}
_CALLED = {
    "coalesce",
    "concat_str",
    "struct",
    "min_horizontal",
    "max_horizontal",
}  # functions that are written before their arguments
_UNARY, _ATOM = 8, 10  # how tightly Python binds a prefix, and a call or a name


def _write(tree: Tree) -> tuple[str, int]:
    """The text of `tree`, and how tightly its outermost operator binds."""
    match tree:
        case Column(name=name):
            return f'col("{name}")', _ATOM
        case Literal():
            return _write_literal(tree), _ATOM
        case Call():
            return _write_call(tree)
        case Cast(argument=argument, type=to, strict=strict):
            return f"{_atom(argument)}.cast({to}{'' if strict else ', strict=False'})", _ATOM
        case Alias(argument=argument, name=name):
            return f'{_atom(argument)}.alias("{name}")', _ATOM
        case When(branches=branches, otherwise=otherwise):
            chain = "".join(f".when({describe(test)}).then({describe(value)})" for test, value in branches)
            return f"{chain[1:]}.otherwise({describe(otherwise)})", _ATOM
        case Aggregate(function=function, argument=None):
            return f"{function}()", _ATOM
        case Aggregate(function=function, argument=argument, options=options) if argument is not None:
            return f"{_atom(argument)}.{function}({_write_options(options)})", _ATOM
        case Apply(step=step, arguments=arguments):
            return f"{step.name}({', '.join(map(describe, arguments))})", _ATOM
        case _:
            raise AssertionError(tree)


def _write_call(call: Call) -> tuple[str, int]:
    name, arguments = call.function, call.arguments
    if name in _INFIX and not call.options:
        sign, binds = _INFIX[name]
        left = _bound(arguments[0], binds or 1)  # a == b == c would chain
        return f"{left} {sign} {_bound(arguments[1], binds + 1)}", binds
    if name in _PREFIX:
        return f"{_PREFIX[name]}{_bound(arguments[0], _UNARY)}", _UNARY
    given = [*map(describe, arguments), *([options] if (options := _write_options(call.options)) else [])]
    if name in _CALLED or not arguments:
        return f"{name}({', '.join(given)})", _ATOM
    return f"{_atom(arguments[0])}.{name}({', '.join(given[1:])})", _ATOM


def _write_literal(tree: Literal) -> str:
    text = repr(tree.value.as_py())
    return text if len(text) <= 80 else f"{text[:77]}..."  # noqa: PLR2004 - a line of explain


def _write_options(options: tuple[tuple[str, Any], ...]) -> str:
    return ", ".join(
        f"{key}={value}" if isinstance(value, pa.DataType) else f"{key}={value!r}" for key, value in options
    )


def _bound(tree: Tree, binds: int) -> str:
    text, own = _write(tree)
    return text if own >= binds else f"({text})"


def _atom(tree: Tree) -> str:
    return _bound(tree, _ATOM)
