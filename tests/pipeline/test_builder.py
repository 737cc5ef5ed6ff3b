"""The builder: every method against DuckDB where SQL can say the same, mistakes where they are made, immutability."""

from __future__ import annotations

import asyncio
import inspect
import pickle

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline import run_inline

import brim
from brim import col, lit, when
from brim.pipeline.builder import Pipeline

TABLE = pa.table(
    {
        "id": pa.array(range(60), pa.int64()),
        "price": pa.array([None if n % 7 == 0 else n * 1.5 for n in range(60)], pa.float64()),
        "name": pa.array([None if n % 11 == 0 else f"name {n % 5}" for n in range(60)]),
        "tags": pa.array([[n] * (n % 3) for n in range(60)], pa.list_(pa.int64())),
    }
)
PIPELINE = brim.from_arrow(TABLE)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """Relative targets lie in a folder of the test's own, whatever `out/` holds where it is started."""
    monkeypatch.chdir(tmp_path)


def _rows(table):
    return table.to_pylist()


def _sql(query):
    with duckdb.connect() as connection:
        connection.register("t", TABLE)
        return connection.sql(query).to_arrow_table().to_pylist()


METHODS = {
    "select": (PIPELINE.select("id", col("price") * 2, total=col("price") + col("id")),
               "select id, price * 2 as price, price + id as total from t"),
    "with_columns": (PIPELINE.with_columns(col("id").alias("again"), price=col("price").fill_null(0)),
                     "select id, coalesce(price, 0) as price, name, tags, id as again from t"),
    "with_columns reads what came in": (PIPELINE.with_columns(id=col("id") + 1, more=col("id") * 10).select("id", "more"),
                                        "select id + 1 as id, id * 10 as more from t"),
    "drop": (PIPELINE.drop("tags", "name"), "select id, price from t"),
    "rename": (PIPELINE.rename({"id": "name", "name": "id"}), "select id as name, price, name as id, tags from t"),
    "filter": (PIPELINE.filter(col("price") > 10, col("name") != "name 1"),
               "select * from t where price > 10 and name <> 'name 1'"),
    "filter of null is not true": (PIPELINE.filter(col("price").is_null() | (col("price") < 4)),
                                   "select * from t where price is null or price < 4"),
    "filter by a choice": (PIPELINE.filter(when(col("id") > 30).then(lit(True)).otherwise(col("id") < 3)),
                           "select * from t where case when id > 30 then true else id < 3 end"),
    "limit": (PIPELINE.limit(7), "select * from t limit 7"),
    "head": (PIPELINE.head(), "select * from t limit 5"),
    "offset": (PIPELINE.offset(50), "select * from t offset 50"),
    "limit of offset": (PIPELINE.offset(10).limit(3), "select * from t limit 3 offset 10"),
    "offset of limit": (PIPELINE.limit(10).offset(3), "select * from (select * from t limit 10) offset 3"),
    "limit of limit": (PIPELINE.limit(3).limit(10), "select * from t limit 3"),
    "explode": (PIPELINE.select("id", "tags").explode("tags"),
                "select id, unnest(case when len(tags) = 0 then [null] else tags end) as tags from t"),
    "unpivot": (PIPELINE.select("id", "price", twice=col("price") * 2).unpivot(["price", "twice"], index=["id"]),
                "select id, unnest(['price', 'twice']) as variable, unnest([price, price * 2]) as value from t"),
    "into_batches": (PIPELINE.into_batches(7), "select * from t"),
    "concat": (PIPELINE.concat(PIPELINE.filter(col("id") > 55), PIPELINE.limit(1)),
               "select * from t union all select * from t where id > 55 union all (select * from t limit 1)"),
    "agg": (PIPELINE.agg(n=col("id").count(), total=col("price").sum(), low=col("price").min(), high=col("id").max(),
                         middle=col("price").mean()),
            "select count(id) as n, sum(price) as total, min(price) as low, max(id) as high, avg(price) as middle from t"),
    "agg of nothing": (PIPELINE.filter(col("id") < 0).agg(n=col("id").count(), total=col("price").sum()),
                       "select count(id) as n, coalesce(sum(price), 0) as total from t where id < 0"),
}  # fmt: skip


@pytest.mark.parametrize("name", METHODS)
def test_a_method_says_what_its_sql_says(name):
    pipeline, query = METHODS[name]
    expected = _sql(query)
    assert _rows(run_inline(pipeline.node)) == expected, "as declared"
    table = pipeline.collect_blocking(memory="64MiB")
    assert _rows(table) == expected, "as planned"
    assert table.schema.equals(pipeline.schema)
    assert pipeline.columns == table.column_names


steps = st.lists(
    st.sampled_from(
        [
            ("filter(col('id') % 3 != 0)", "select * from ({}) where id % 3 <> 0"),
            ("filter(col('v') > 20)", "select * from ({}) where v > 20"),
            ("limit(40)", "select * from ({}) limit 40"),
            ("offset(4)", "select * from ({}) offset 4"),
            ("with_columns(v=col('v') + 1)", "select id, v + 1 as v from ({})"),
            ("with_columns(v=when(col('id') > 9).then(col('v')).otherwise(-1))",
             "select id, case when id > 9 then v else -1 end as v from ({})"),
            ("select(v=col('id'), id=col('v'))", "select v as id, id as v from ({})"),
            ("rename({'id': 'v', 'v': 'id'})", "select v as id, id as v from ({})"),
            ("into_batches(3)", "{}"),
            ("concat(start)", "select * from ({}) union all select id, id as v from t"),
        ]
    ),
    max_size=7,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(steps)
def test_a_chain_of_methods_says_what_its_sql_says(chain):
    start = PIPELINE.select("id", v=col("id"))
    pipeline, query = start, "select id, id as v from t"
    for method, sql in chain:
        pipeline = eval(f"pipeline.{method}", {"pipeline": pipeline, "start": start, "col": col, "when": when})
        query = sql.format(query)
        if "select v as id" in sql:
            pipeline = pipeline.select("id", "v")
    assert _rows(run_inline(_planned(pipeline))) == _sql(query)


def _planned(pipeline):
    from brim.pipeline.planner import optimize

    return optimize(pipeline.node)


def test_the_rows_of_a_sample_are_those_of_its_seed_whatever_the_batches():
    sampled = PIPELINE.sample(0.4, seed=7)
    ids = sampled.to_pydict()["id"]
    assert 0 < len(ids) < 60
    assert sampled.into_batches(1).to_pydict()["id"] == ids
    assert PIPELINE.into_batches(3).sample(0.4, seed=7).to_pydict()["id"] == ids
    assert PIPELINE.sample(0).count_rows() == 0
    assert PIPELINE.sample(1).count_rows() == 60
    undecided = PIPELINE.sample(0.5)
    assert undecided.to_pydict() == undecided.to_pydict(), "the seed is drawn when it is declared"


def test_batches_are_no_larger_than_was_asked_for():
    with PIPELINE.into_batches(7).stream_blocking(memory="64MiB") as batches:
        sizes = [batch.num_rows for batch in batches]
    assert sum(sizes) == 60
    assert max(sizes) == 7


def test_whole_batches_become_what_a_function_makes_of_them():
    def twice(batch):
        yield batch
        yield batch

    doubled = PIPELINE.select("id").into_batches(10).map_batches(twice, backend="thread")
    assert sorted(doubled.to_pydict()["id"]) == sorted([*range(60), *range(60)])
    counted = PIPELINE.map_batches(
        lambda batch: pa.record_batch({"rows": [batch.num_rows]}),
        schema=pa.schema({"rows": pa.int64()}),
        backend="thread",
    )
    assert counted.columns == ["rows"]
    assert sum(counted.to_pydict()["rows"]) == 60


SINKS = {
    "write_parquet": ("parquet", brim.read_parquet),
    "write_csv": ("csv", brim.read_csv),
    "write_json": ("jsonl", brim.read_json),
    "write_arrow": ("arrow", brim.read_arrow),
}


@pytest.mark.parametrize("method", SINKS)
def test_what_a_sink_wrote_its_reader_reads_back(tmp_path, method):
    suffix, read = SINKS[method]
    wanted = PIPELINE.select("id", "price", "name")
    written = getattr(wanted, method)(tmp_path / f"out.{suffix}")
    assert written.columns == ["path", "rows", "bytes"]
    report = written.run_blocking(memory="64MiB")
    assert report.rows == 60
    assert read(tmp_path / f"out.{suffix}").to_pydict() == wanted.to_pydict()


def test_write_files_writes_a_file_a_row(tmp_path):
    named = brim.from_pydict({"name": ["a.txt", "b/c.txt"], "data": [b"one", b"two"]})
    report = named.write_files(tmp_path / "out", name="name", data="data").run_blocking(memory="64MiB")
    assert report.rows == 2
    assert (tmp_path / "out" / "b" / "c.txt").read_bytes() == b"two"


UNKNOWN = {
    "select": lambda p: p.select("prise"),
    "select an expression": lambda p: p.select(col("prise") + 1),
    "with_columns": lambda p: p.with_columns(x=col("prise")),
    "drop": lambda p: p.drop("prise"),
    "rename": lambda p: p.rename({"prise": "x"}),
    "filter": lambda p: p.filter(col("prise") > 1),
    "explode": lambda p: p.explode("prise"),
    "unpivot": lambda p: p.unpivot(["prise"]),
    "unpivot index": lambda p: p.unpivot(["price"], index=["prise"]),
    "agg": lambda p: p.agg(col("prise").sum()),
    "write_files": lambda p: p.write_files("out", name="prise", data="name"),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_column_that_is_not_there_is_named_with_the_nearest_that_is(name):
    with pytest.raises(brim.UnknownColumn, match="did you mean 'price'") as unknown:
        UNKNOWN[name](PIPELINE)
    assert unknown.value.column == "prise"
    assert unknown.value.columns == ("id", "price", "name", "tags")
    assert isinstance(unknown.value, KeyError)


MISTAKES = {
    "select nothing": (lambda p: p.select(), "select leaves no column"),
    "select twice": (lambda p: p.select("id", "id"), "more than one column is called"),
    "select an aggregate": (lambda p: p.select(col("price").sum()), r"use \.agg"),
    "drop all": (lambda p: p.drop(*p.columns), "drop leaves no column"),
    "rename onto another": (lambda p: p.rename({"id": "name"}), "more than one column is called"),
    "filter by nothing": (lambda p: p.filter(), "at least one predicate"),
    "filter by a number": (lambda p: p.filter(col("price")), "expected bool, found double"),
    "filter by a name": (lambda p: p.filter("price"), "expected bool, found string"),
    "filter by an aggregate": (lambda p: p.filter(col("price").sum() > 1), "belong in .agg"),
    "add text to a number": (lambda p: p.select(col("price") + col("name")), "price|name"),
    "limit below nothing": (lambda p: p.limit(-1), "at least 0, not -1"),
    "offset below nothing": (lambda p: p.offset(-1), "at least 0, not -1"),
    "sample more than all": (lambda p: p.sample(1.5), "between 0 and 1, not 1.5"),
    "batches without rows": (lambda p: p.into_batches(0), "at least 1, not 0"),
    "explode nothing": (lambda p: p.explode(), "name one or several columns"),
    "explode no list": (lambda p: p.explode("price"), "price"),
    "unpivot what does not agree": (lambda p: p.unpivot(["price", "name"]), "name|price"),
    "agg without an aggregate": (lambda p: p.agg(col("price")), "is no aggregate"),
    "concat what does not agree": (lambda p: p.concat(p.select("id")), "expected"),
    "map what cannot be called": (lambda p: p.map_batches(5), "cannot be called"),
    "map to no schema": (lambda p: p.map_batches(lambda b: b, schema="x"), "is a pyarrow.Schema"),
    "write twice": (lambda p: p.write_parquet("a").write_parquet("b"), "a sink is the last node"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_a_plan_error_on_its_line(name):
    make, text = MISTAKES[name]
    with pytest.raises(brim.PlanError, match=text):
        make(PIPELINE)


NOT_YET = {
    "limit by text": lambda p: p.limit("5"),
    "limit by a fraction": lambda p: p.limit(2.5),
    "limit by a boolean": lambda p: p.limit(True),
    "offset by nothing": lambda p: p.offset(None),
    "sample by text": lambda p: p.sample("x"),
    "batches of text": lambda p: p.into_batches("a"),
    "concat with no pipeline": lambda p: p.concat("x"),
    "agg of nothing": lambda p: p.agg(),
    "two columns of one name": lambda p: p.with_columns(col("price") * 2, col("price") * 3),
    "a step after a sink": lambda p: p.write_parquet("out").filter(col("rows") > 1),
}


@pytest.mark.parametrize("name", NOT_YET)
def test_a_mistake_of_kind_is_a_plan_error_on_its_line(name):
    with pytest.raises(brim.PlanError):
        NOT_YET[name](PIPELINE)


@pytest.mark.parametrize("options", [{"on": "price"}, {"on": ["price"], "index": "id"}])
def test_one_column_may_be_named_without_a_list(options):
    PIPELINE.unpivot(**options)


def test_a_pipeline_may_be_long_and_one_too_long_is_refused():
    pipeline = PIPELINE
    for _ in range(199):
        pipeline = pipeline.filter(col("id") >= 0)
    assert pipeline.columns == PIPELINE.columns
    assert "filter-200" in pipeline.explain(memory="1GiB")
    with pytest.raises(brim.PlanError, match="at most 200 steps"):
        pipeline.filter(col("id") >= 0)


def test_a_method_leaves_the_pipeline_as_it_was_and_ids_tell_the_place():
    before = repr(PIPELINE)
    made = [
        PIPELINE.filter(col("id") > 1),
        PIPELINE.limit(3),
        PIPELINE.select("id"),
        PIPELINE.filter(col("id") > 1).limit(1),
        PIPELINE.concat(PIPELINE.limit(2)),
        PIPELINE.write_parquet("out"),
    ]
    assert repr(PIPELINE) == before
    ids = ["filter-2", "limit-2", "select-2", "limit-3", "concat-4", "write_parquet-2"]
    assert [pipeline.node.id for pipeline in made] == ids
    with pytest.raises(AttributeError):
        PIPELINE.node = made[0].node


def test_a_pipeline_shows_its_columns_and_runs_nothing():
    def never():
        raise AssertionError("it was read")

    pipeline = brim.from_batches(never, pa.schema([("a<b", pa.int64()), ("c", pa.list_(pa.string()))])).limit(3)
    assert repr(pipeline) == "<Pipeline limit-2: a<b: int64, c: list<item: string>>"
    assert "a&lt;b" in pipeline._repr_html_()
    assert "limit-2" in pipeline._repr_html_()
    assert "from_batches-1" in pipeline.explain(memory="64MiB")


def test_a_pipeline_pickles_and_means_the_same():
    pipeline = PIPELINE.filter(col("id") > 50).with_columns(x=col("price") * 2).limit(4)
    again = pickle.loads(pickle.dumps(pipeline))
    assert again.to_pydict() == pipeline.to_pydict()
    assert repr(again) == repr(pipeline)


def test_show_prints_the_first_rows(capsys):
    PIPELINE.select("id").show(3)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[-1].split() == ["2", "2"]


def test_rows_come_as_python_values_as_a_frame_and_as_a_count():
    few = PIPELINE.select("id", "name").limit(2)
    assert few.to_pydict() == {"id": [0, 1], "name": [None, "name 1"]}
    assert few.to_pandas()["id"].tolist() == [0, 1]
    assert PIPELINE.filter(col("id") > 50).count_rows(memory="64MiB") == 9


def test_every_public_method_has_a_docstring_and_hints():
    for name, method in inspect.getmembers(Pipeline, inspect.isfunction):
        if not name.startswith("_"):
            assert method.__doc__, name
            assert "return" in method.__annotations__, name


def test_settings_that_there_are_not_are_refused():
    with pytest.raises(TypeError, match="memroy"):
        PIPELINE.run_blocking(memroy="1GiB")
    with pytest.raises(TypeError, match="memroy"):
        asyncio.run(PIPELINE.run(memroy="1GiB"))
