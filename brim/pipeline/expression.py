"""Expr: an expression as users write it, `col("price") * 2 > 10`.

An `Expr` is immutable and computes nothing: each method wraps one more node around its tree.
Types are checked where it meets a schema, when the pipeline is declared.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

import pyarrow as pa

from brim.errors import PlanError
from brim.operators.expressions.tree import Aggregate, Alias, Cast, Tree, describe, name_of
from brim.pipeline.namespaces.binary import BinaryNamespace
from brim.pipeline.namespaces.embeddings import EmbeddingNamespace
from brim.pipeline.namespaces.images import ImageNamespace
from brim.pipeline.namespaces.json import JsonNamespace
from brim.pipeline.namespaces.lists import ListNamespace
from brim.pipeline.namespaces.operand import call_tree, literal_of
from brim.pipeline.namespaces.strings import StringNamespace
from brim.pipeline.namespaces.structs import StructNamespace
from brim.pipeline.namespaces.times import TimeNamespace
from brim.pipeline.namespaces.urls import UrlNamespace

Name = str  # inside Expr, `str` is a namespace
Type: TypeAlias = "pa.DataType | str | type"


@dataclass(frozen=True, slots=True, eq=False)
class Expr:
    """A computation over the columns of a pipeline; made by `col`, `lit`, `when` and the methods below.

    Python's operators build expressions too: `+ - * / // % **`, comparisons, `& | ^ ~` (not `and or not`).

    >>> (col("price") * 2 > 10) & col("name").is_not_null()
    (col("price") * 2 > 10) & col("name").is_not_null()
    """

    tree: Tree

    def __repr__(self) -> Name:
        return describe(self.tree)

    def __hash__(self) -> int:
        return hash(self.tree)

    def __bool__(self) -> NoReturn:
        raise TypeError(
            f"{self!r} is no truth value yet: it is one for each row. "
            "Write & for and, | for or, ~ for not, and .is_between(a, b) for a <= x <= b"
        )

    def __iter__(self) -> NoReturn:
        raise TypeError(f"{self!r} is one expression and cannot be iterated")

    @property
    def name(self) -> Name:
        """The name of the column it makes: its alias, else its left-most column.

        >>> (col("a") + col("b")).name
        'a'
        """
        return name_of(self.tree)

    def __add__(self, other: Any) -> Expr:
        return call("add", self, other)

    def __radd__(self, other: Any) -> Expr:
        return call("add", other, self)

    def __sub__(self, other: Any) -> Expr:
        return call("subtract", self, other)

    def __rsub__(self, other: Any) -> Expr:
        return call("subtract", other, self)

    def __mul__(self, other: Any) -> Expr:
        return call("multiply", self, other)

    def __rmul__(self, other: Any) -> Expr:
        return call("multiply", other, self)

    def __truediv__(self, other: Any) -> Expr:
        return call("divide", self, other)

    def __rtruediv__(self, other: Any) -> Expr:
        return call("divide", other, self)

    def __floordiv__(self, other: Any) -> Expr:
        return call("floor_divide", self, other)

    def __rfloordiv__(self, other: Any) -> Expr:
        return call("floor_divide", other, self)

    def __mod__(self, other: Any) -> Expr:
        return call("modulo", self, other)

    def __rmod__(self, other: Any) -> Expr:
        return call("modulo", other, self)

    def __pow__(self, other: Any) -> Expr:
        return call("pow", self, other)

    def __rpow__(self, other: Any) -> Expr:
        return call("pow", other, self)

    def __neg__(self) -> Expr:
        return call("negate", self)

    def __abs__(self) -> Expr:
        return call("abs", self)

    def __eq__(self, other: object) -> Expr:  # type: ignore[override]
        return call("equal", self, other)

    def __ne__(self, other: object) -> Expr:  # type: ignore[override]
        return call("not_equal", self, other)

    def __lt__(self, other: Any) -> Expr:
        return call("less", self, other)

    def __le__(self, other: Any) -> Expr:
        return call("less_equal", self, other)

    def __gt__(self, other: Any) -> Expr:
        return call("greater", self, other)

    def __ge__(self, other: Any) -> Expr:
        return call("greater_equal", self, other)

    def __and__(self, other: Any) -> Expr:
        return call("and", self, other)

    def __rand__(self, other: Any) -> Expr:
        return call("and", other, self)

    def __or__(self, other: Any) -> Expr:
        return call("or", self, other)

    def __ror__(self, other: Any) -> Expr:
        return call("or", other, self)

    def __xor__(self, other: Any) -> Expr:
        return call("xor", self, other)

    def __rxor__(self, other: Any) -> Expr:
        return call("xor", other, self)

    def __invert__(self) -> Expr:
        return call("not", self)

    def alias(self, name: Name) -> Expr:
        """The same under another name.

        >>> col("a").alias("b")
        col("a").alias("b")
        """
        return Expr(Alias(self.tree, name))

    def cast(self, dtype: Type, *, strict: bool = True) -> Expr:
        """As another type; a value that does not fit is an error or, with `strict=False`, null.

        `dtype` is a type of pyarrow, its name, or one of Python's `bool int float str bytes`.

        >>> col("a").cast(int), col("a").cast("int8", strict=False)
        (col("a").cast(int64), col("a").cast(int8, strict=False))
        """
        return Expr(Cast(self.tree, type_of(dtype), strict))

    def is_null(self) -> Expr:
        """Whether there is no value.

        >>> col("a").is_null()
        col("a").is_null()
        """
        return call("is_null", self)

    def is_not_null(self) -> Expr:
        """Whether there is a value.

        >>> col("a").is_not_null()
        col("a").is_not_null()
        """
        return call("is_not_null", self)

    def fill_null(self, value: Any) -> Expr:
        """`value` where there is none.

        >>> col("a").fill_null(0)
        col("a").fill_null(0)
        """
        return call("fill_null", self, value)

    def is_in(self, values: Iterable[Any] | Expr, *, nulls_equal: bool = False) -> Expr:
        """Whether the value is among `values`, or in the list that another column has in the same row.

        A null stays null; with `nulls_equal` it is found where `values` has a null.

        >>> col("a").is_in([1, 2])
        col("a").is_in([1, 2])
        """
        if isinstance(values, (Name, bytes)) or not (isinstance(values, Expr) or hasattr(values, "__iter__")):
            raise PlanError(f"is_in takes several values, such as [{values!r}]")
        choices = values if isinstance(values, Expr) else literal_of([*values])
        return call("is_in", self, choices, nulls_equal=nulls_equal)

    def is_between(self, lower: Any, upper: Any, closed: Name = "both") -> Expr:
        """Whether the value lies between two bounds; `closed` is both, left, right or none.

        >>> col("a").is_between(1, 3)
        col("a").is_between(1, 3)
        """
        return call("is_between", self, lower, upper, closed=closed)

    between = is_between

    def is_nan(self) -> Expr:
        """Whether the value is NaN; a null stays null.

        >>> col("a").is_nan()
        col("a").is_nan()
        """
        return call("is_nan", self)

    def is_finite(self) -> Expr:
        """Whether the value is neither infinite nor NaN.

        >>> col("a").is_finite()
        col("a").is_finite()
        """
        return call("is_finite", self)

    def fill_nan(self, value: Any) -> Expr:
        """`value` where there is NaN; nulls stay.

        >>> col("a").fill_nan(0.0)
        col("a").fill_nan(0.0)
        """
        return call("fill_nan", self, value)

    def eq_missing(self, other: Any) -> Expr:
        """Whether both are the same, two nulls being the same.

        >>> col("a").eq_missing(1)
        col("a").eq_missing(1)
        """
        return call("eq_missing", self, other)

    def clip(self, lower: Any = None, upper: Any = None) -> Expr:
        """The value, or the bound that it passes.

        >>> col("a").clip(0, 10)
        col("a").clip(0, 10)
        """
        return call("clip", self, lower, upper)

    def abs(self) -> Expr:
        """The value without its sign.

        >>> col("a").abs()
        col("a").abs()
        """
        return call("abs", self)

    def sign(self) -> Expr:
        """-1, 0 or 1.

        >>> col("a").sign()
        col("a").sign()
        """
        return call("sign", self)

    def round(self, decimals: int = 0) -> Expr:
        """The nearest number of `decimals` digits after the point, halves to the even one.

        >>> col("a").round(2)
        col("a").round(decimals=2)
        """
        return call("round", self, decimals=decimals)

    def floor(self) -> Expr:
        """The next whole number down.

        >>> col("a").floor()
        col("a").floor()
        """
        return call("floor", self)

    def ceil(self) -> Expr:
        """The next whole number up.

        >>> col("a").ceil()
        col("a").ceil()
        """
        return call("ceil", self)

    def trunc(self) -> Expr:
        """The whole part.

        >>> col("a").trunc()
        col("a").trunc()
        """
        return call("trunc", self)

    def sqrt(self) -> Expr:
        """Square root.

        >>> col("a").sqrt()
        col("a").sqrt()
        """
        return call("sqrt", self)

    def exp(self) -> Expr:
        """E to the power of the value.

        >>> col("a").exp()
        col("a").exp()
        """
        return call("exp", self)

    def log(self, base: float | None = None) -> Expr:
        """Logarithm to `base`, the natural one without it.

        >>> col("a").log()
        col("a").log()
        """
        return call("log", self, base=base)

    def log2(self) -> Expr:
        """Logarithm to base 2.

        >>> col("a").log2()
        col("a").log2()
        """
        return call("log2", self)

    def log10(self) -> Expr:
        """Logarithm to base 10.

        >>> col("a").log10()
        col("a").log10()
        """
        return call("log10", self)

    def log1p(self) -> Expr:
        """Natural logarithm of 1 + the value.

        >>> col("a").log1p()
        col("a").log1p()
        """
        return call("log1p", self)

    def sin(self) -> Expr:
        """Sine of radians.

        >>> col("a").sin()
        col("a").sin()
        """
        return call("sin", self)

    def cos(self) -> Expr:
        """Cosine of radians.

        >>> col("a").cos()
        col("a").cos()
        """
        return call("cos", self)

    def tan(self) -> Expr:
        """Tangent of radians.

        >>> col("a").tan()
        col("a").tan()
        """
        return call("tan", self)

    def arcsin(self) -> Expr:
        """Arc sine, in radians.

        >>> col("a").arcsin()
        col("a").arcsin()
        """
        return call("arcsin", self)

    def arccos(self) -> Expr:
        """Arc cosine, in radians.

        >>> col("a").arccos()
        col("a").arccos()
        """
        return call("arccos", self)

    def arctan(self) -> Expr:
        """Arc tangent, in radians.

        >>> col("a").arctan()
        col("a").arctan()
        """
        return call("arctan", self)

    def hash(self, seed: int = 0) -> Expr:
        """64 bits that depend on the value and `seed` alone, the same in every process and on every machine.

        >>> col("a").hash()
        col("a").hash()
        """
        return call("hash", self, seed=seed)

    def sum(self) -> Expr:
        """Aggregate: the sum; 0 of nothing.

        >>> col("a").sum()
        col("a").sum()
        """
        return Expr(Aggregate("sum", self.tree))

    def mean(self) -> Expr:
        """Aggregate: the mean; null of nothing.

        >>> col("a").mean()
        col("a").mean()
        """
        return Expr(Aggregate("mean", self.tree))

    def min(self) -> Expr:
        """Aggregate: the least value.

        >>> col("a").min()
        col("a").min()
        """
        return Expr(Aggregate("min", self.tree))

    def max(self) -> Expr:
        """Aggregate: the greatest value.

        >>> col("a").max()
        col("a").max()
        """
        return Expr(Aggregate("max", self.tree))

    def count(self) -> Expr:
        """Aggregate: how many values that are not null.

        >>> col("a").count()
        col("a").count()
        """
        return Expr(Aggregate("count", self.tree))

    def count_distinct(self) -> Expr:
        """Aggregate: how many different values that are not null.

        >>> col("a").count_distinct()
        col("a").count_distinct()
        """
        return Expr(Aggregate("count_distinct", self.tree))

    def first(self) -> Expr:
        """Aggregate: the first row's value, null or not.

        >>> col("a").first()
        col("a").first()
        """
        return Expr(Aggregate("first", self.tree))

    def last(self) -> Expr:
        """Aggregate: the last row's value, null or not.

        >>> col("a").last()
        col("a").last()
        """
        return Expr(Aggregate("last", self.tree))

    def any_value(self) -> Expr:
        """Aggregate: a value that is not null, the first there is.

        >>> col("a").any_value()
        col("a").any_value()
        """
        return Expr(Aggregate("any_value", self.tree))

    def std(self, ddof: int = 1) -> Expr:
        """Aggregate: the standard deviation, with `ddof` degrees of freedom taken off.

        >>> col("a").std()
        col("a").std()
        """
        return Expr(Aggregate("std", self.tree, (("ddof", ddof),) if ddof != 1 else ()))

    def var(self, ddof: int = 1) -> Expr:
        """Aggregate: the variance, with `ddof` degrees of freedom taken off.

        >>> col("a").var()
        col("a").var()
        """
        return Expr(Aggregate("var", self.tree, (("ddof", ddof),) if ddof != 1 else ()))

    @property
    def str(self) -> StringNamespace[Expr]:
        """Methods of strings."""
        return StringNamespace(self.tree, Expr)

    @property
    def dt(self) -> TimeNamespace[Expr]:
        """Methods of dates, times, timestamps and durations."""
        return TimeNamespace(self.tree, Expr)

    @property
    def list(self) -> ListNamespace[Expr]:
        """Methods of lists; called, the aggregate that makes a list of all values: `col("a").list()`."""
        return ListNamespace(self.tree, Expr)

    @property
    def struct(self) -> StructNamespace[Expr]:
        """Methods of structs."""
        return StructNamespace(self.tree, Expr)

    @property
    def bin(self) -> BinaryNamespace[Expr]:
        """Methods of bytes."""
        return BinaryNamespace(self.tree, Expr)

    @property
    def json(self) -> JsonNamespace[Expr]:
        """Methods of JSON text."""
        return JsonNamespace(self.tree, Expr)

    @property
    def url(self) -> UrlNamespace[Expr]:
        """Methods of URLs: `.url.download()` and their parts."""
        return UrlNamespace(self.tree, Expr)

    @property
    def image(self) -> ImageNamespace[Expr]:
        """Methods of images."""
        return ImageNamespace(self.tree, Expr)

    @property
    def embedding(self) -> EmbeddingNamespace[Expr]:
        """Methods of vectors."""
        return EmbeddingNamespace(self.tree, Expr)


def call(function: str, /, *operands: Any, **options: Any) -> Expr:
    """An expression that calls `function` of the table; options are constants."""
    return Expr(call_tree(function, *operands, **options))


_PYTHON_TYPES = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string(), bytes: pa.binary()}


def type_of(dtype: Type) -> pa.DataType:
    """The Arrow type that is meant by a type of pyarrow, its name, or a type of Python.

    >>> type_of(int), type_of("float32")
    (DataType(int64), DataType(float))
    """
    if isinstance(dtype, pa.DataType):
        return dtype
    if isinstance(dtype, type) and dtype in _PYTHON_TYPES:
        return _PYTHON_TYPES[dtype]
    try:
        return pa.type_for_alias(dtype)
    except (ValueError, TypeError, AttributeError) as error:
        raise PlanError(f"{dtype!r} is no type: give one of pyarrow, such as pa.int64()") from error
