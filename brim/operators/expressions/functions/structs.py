"""`.struct`: fields of structs, and structs made of columns."""

from __future__ import annotations

import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import types

from brim.errors import UnknownColumn
from brim.operators.expressions.function import Function, Values, entry, rows_of, spread

FUNCTIONS: dict[str, Function] = {}


@entry(FUNCTIONS, "struct.field", "structs")
def field(structs: Values, name: str) -> pa.Array:
    """The field called `name`; null where the struct is.

    >>> call("struct.field", [{"a": 1}, None], name="a")
    [1, None]
    """
    if not types.is_struct(structs.type):
        raise TypeError(f"{structs.type} is no struct")
    index = structs.type.get_field_index(name)
    if index < 0:
        raise UnknownColumn(name, structs.type.names, "struct.field")
    return pc.struct_field(structs, index)


@entry(FUNCTIONS, "struct", "columns of any type")
def struct(*values: Values, names: tuple[str, ...]) -> pa.Array:
    """A struct of the values of a row.

    >>> call("struct", [1, 2], ["x", "y"], names=("n", "s"))
    [{'n': 1, 's': 'x'}, {'n': 2, 's': 'y'}]
    """
    rows = rows_of(*values)
    columns = [spread(value, rows) for value in values]
    return pa.StructArray.from_arrays(columns, names=list(names))
