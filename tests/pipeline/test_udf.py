"""Decorating, calling on expressions and on plain values, checks at declaration, crossing to another process."""

import pickle

import cloudpickle
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import brim
from brim.errors import PlanError
from brim.operators.expressions.tree import Apply, Column, name_of
from brim.operators.user_functions.arguments import Arguments, Constant, Taken
from brim.operators.user_functions.user_function import UserFunction
from brim.pipeline.expr import Expr, col
from brim.pipeline.udf import UserColumn, declare, row_udf, udf


@udf(returns=pa.int64())
def lengths(texts):
    """How long each text is."""
    return pc.utf8_length(texts)


@row_udf(returns=pa.string(), concurrency=3)
async def shout(text):
    return text.upper()


@udf(returns=pa.int64(), batch_size=7)
class Adder:
    def __init__(self, amount=1):
        self.amount = amount

    def __call__(self, numbers):
        return pc.add(numbers, self.amount)


def test_called_on_expressions_it_is_a_column_named_for_its_first_argument():
    expression = lengths(col("body"))
    assert isinstance(expression, Expr)
    assert isinstance(expression.tree, Apply)
    assert expression.tree.step.return_type == pa.int64()
    assert expression.tree.arguments == (Column("body"),)
    assert name_of(expression.tree) == "body"
    assert repr(expression) == 'lengths(col("body"))'


def test_called_on_plain_values_it_is_the_function():
    assert lengths(pa.array(["a", "bcd"])).to_pylist() == [1, 3]
    assert Adder(5)(pa.array([1])).to_pylist() == [6]
    assert lengths.__doc__ == "How long each text is."


def test_what_is_no_expression_is_the_same_in_every_call():
    @udf(returns=pa.int64())
    def scale(numbers, by, plus): ...

    tree = scale(col("a"), 3, plus=col("b")).tree
    assert tree.arguments == (Column("a"), Column("b"))
    assert tree.step.arguments == Arguments((Taken(0), Constant(3)), (("plus", Taken(1)),))


def test_a_class_is_declared_with_what_its_constructor_takes():
    made = Adder(amount=2)(col("n")).tree.step
    assert (made.args, made.kwargs, made.batch_size) == ((), (("amount", 2),), 7)
    assert Adder(col("n")).tree.step.kwargs == ()
    assert isinstance(Adder(), UserColumn)


def test_the_backend_follows_from_the_function():
    assert lengths.declared.backend == "process"
    assert shout.declared.backend == "async"
    assert Adder.declared.backend == "process"


def test_sizes_and_rates_are_read_as_people_write_them():
    function = udf(len, returns=int, memory="1GiB", rate_limit="600/min").declared
    assert (function.memory, function.rate_limit, function.return_type) == (1 << 30, 10.0, pa.int64())


async def waits(values): ...


def rows_of(values):
    yield values


@pytest.mark.parametrize(
    ("function", "options", "says"),
    [
        (len, {"returns": "colour"}, "no type"),
        (len, {"backend": "fork"}, "no backend 'fork'"),
        (len, {"backend": "thread", "timeout_s": 1}, "cannot be stopped"),
        (len, {"backend": "async"}, "async def"),
        (waits, {"backend": "process"}, "event loop"),
        (rows_of, {}, "map_batches"),
        (len, {"on_error": "ignore"}, "raise, null or drop"),
        (len, {"dead_letter": "failed/"}, "dead_letter"),
        (len, {"concurrency": 0}, "concurrency is at least 1"),
        (len, {"batch_size": 0}, "batch_size is at least 1"),
        (len, {"retries": -1}, "retries is 0 or more"),
        (len, {"timeout_s": 0}, "timeout_s is more than 0"),
        (len, {"rate_limit": "often"}, "no rate"),
        (len, {"memory": "much"}, "no size"),
        (len, {"gpus": 1.5}, "fraction"),
        (len, {"gpus": 1, "backend": "thread"}, "worker processes"),
        (lengths, {}, "decorated already"),
    ],
)
def test_what_cannot_work_is_refused_where_it_is_declared(function, options, says):
    with pytest.raises(PlanError, match=says):
        udf(function, **{"returns": pa.int64(), **options})


def test_whole_batches_have_no_null():
    with pytest.raises(PlanError, match='use "drop"'):
        declare(len, "batch", on_error="null")


def test_functions_compare_by_value_and_survive_a_pickle():
    declared = declare(pc.utf8_length, "array", return_type=pa.int64())
    again = pickle.loads(pickle.dumps(declared))
    assert again == declared
    assert hash(again) == hash(declared)
    assert again != declare(pc.utf8_upper, "array", return_type=pa.int64())
    assert lengths(col("a")).tree == lengths(col("a")).tree


def test_an_importable_decorated_object_pickles_by_its_address(tmp_path, monkeypatch):
    (tmp_path / "my_functions.py").write_text(
        "import threading\nimport pyarrow as pa\nfrom brim.pipeline.udf import udf\nlock = threading.Lock()\n"
        "@udf(returns=pa.int64())\ndef count(texts):\n    with lock:\n        return [len(texts)] * len(texts)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import my_functions

    declared = pickle.loads(pickle.dumps(my_functions.count.declared))
    assert declared.function is my_functions.count.declared.function
    assert pickle.loads(pickle.dumps(my_functions.count)) is my_functions.count


def test_a_local_function_pickles_by_value():
    bonus = 4

    @udf(returns=pa.int64())
    def add(numbers):
        return pc.add(numbers, bonus)

    declared = cloudpickle.loads(cloudpickle.dumps(add.declared))
    assert isinstance(declared, UserFunction)
    assert declared.function(pa.array([1])).to_pylist() == [5]


def test_a_function_that_makes_rows_without_columns_is_refused():
    with pytest.raises(PlanError, match="no columns"):
        brim.from_pydict({"a": [1]}).map_batches(lambda batch: batch, schema=pa.schema([]), backend="thread")
