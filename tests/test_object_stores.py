"""Object stores, from declaration to bytes: real servers, real runs."""

from __future__ import annotations

import io
from contextlib import ExitStack

import anyio
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from servers import object_stores
from servers.object_stores import SECRET, Stand

import brim
from brim import col

ROWS = 60_000


@pytest.fixture(scope="module")
def servers():
    with ExitStack() as opened:
        yield opened


@pytest.fixture(scope="module")
def s3_and_gcs(servers):
    return servers.enter_context(object_stores.s3_and_gcs())


@pytest.fixture(scope="module")
def s3(s3_and_gcs) -> Stand:
    return s3_and_gcs[0]


@pytest.fixture(scope="module", params=["s3", "gs", "az"])
def stand(request, servers) -> Stand:
    if request.param == "az":
        return servers.enter_context(object_stores.azure())
    return request.getfixturevalue("s3_and_gcs")[("s3", "gs").index(request.param)]


@pytest.fixture(scope="module")
def table() -> pa.Table:
    random = np.random.default_rng(1)
    return pa.table(
        {"id": np.arange(ROWS), "x": random.random(ROWS), "s": [f"text {i * 7919 % ROWS}" for i in range(ROWS)]}
    )


def parquet(table: pa.Table, **options: object) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()


def test_rows_written_to_a_store_are_read_back(stand, table):
    for suffix, write, read in (
        ("parquet", "write_parquet", brim.read_parquet),
        ("arrow", "write_arrow", brim.read_arrow),
        ("csv", "write_csv", brim.read_csv),
        ("jsonl", "write_json", brim.read_json),
    ):
        path = f"{stand.root}/round trip/{suffix}.{suffix}"
        sink = getattr(brim.from_arrow(table), write)(path, storage=stand.storage)
        written = sink.collect_blocking(memory="128MiB").to_pylist()
        assert written == [{"path": path, "rows": ROWS, "bytes": len(stand.get(f"round trip/{suffix}.{suffix}"))}]
        assert read(path, storage=stand.storage).collect_blocking(memory="128MiB").equals(table)


def test_bodies_are_downloaded_in_the_order_of_rows(stand):
    bodies = [bytes([i]) * (i * 5_000) for i in range(30)]
    urls = [stand.put(f"bodies/{i} %20#.bin", body) for i, body in enumerate(bodies)]
    pipeline = brim.from_pydict({"url": [*urls, None]}).select(body=col("url").url.download(max_connections=4))
    storage = {stand.root[:5]: stand.storage}
    assert pipeline.to_pydict(memory="64MiB", storage=storage)["body"] == [*bodies, None]


def test_a_missing_object_is_named_and_may_be_null(stand):
    url = f"{stand.root}/nothing/here.bin"
    settings = {"memory": "64MiB", "storage": stand.storage}
    rows = brim.from_pydict({"url": [url]})
    with pytest.raises(brim.StageFailed, match=r"nothing/here.bin: there is no such object") as caught:
        rows.select(body=col("url").url.download()).to_pydict(**settings)
    assert isinstance(caught.value.__cause__, brim.ObjectMissing)
    assert rows.select(body=col("url").url.download(on_error="null")).to_pydict(**settings) == {"body": [None]}


def test_folders_globs_and_lists_mean_the_same_as_on_disk(stand, table):
    head = table.slice(0, 10)
    for year in (2024, 2025):
        stand.put(f"hive/year={year}/a.parquet", parquet(head))
    stand.put("hive/year=2024/_metadata", b"no Parquet")
    stand.put("hive/year=2024/.hidden.parquet", b"no Parquet")
    stand.put("hive/notes.txt", b"no Parquet either")

    def rows(path):
        return brim.read_parquet(path, storage=stand.storage).to_pydict(memory="64MiB")

    whole = rows(f"{stand.root}/hive/")
    assert whole["year"] == [2024] * 10 + [2025] * 10
    assert whole["id"] == [*range(10), *range(10)]
    assert rows(f"{stand.root}/hive") == whole
    assert rows(f"{stand.root}/hive/*/*.parquet") == whole
    assert rows(f"{stand.root}/hive/year=202[4]") == {name: values[:10] for name, values in whole.items()}
    assert rows([f"{stand.root}/hive/year=2025/a.parquet"])["id"] == [*range(10)]
    listed = brim.read_files(f"{stand.root}/hive/**", storage=stand.storage).to_pydict(memory="64MiB")
    assert [path.removeprefix(stand.root) for path in listed["path"]] == [
        "/hive/notes.txt",
        "/hive/year=2024/a.parquet",
        "/hive/year=2025/a.parquet",
    ]
    assert listed["size"][0] == len(b"no Parquet either")
    with pytest.raises(brim.PlanError, match=r"no object matches .*\.zip"):
        rows(f"{stand.root}/hive/*.zip")
    with pytest.raises(brim.ObjectMissing, match="hive/nowhere"):
        rows(f"{stand.root}/hive/nowhere")


def test_a_folder_is_created_added_to_and_overwritten(stand, table):
    def write(mode):
        sink = brim.from_arrow(table.slice(0, 100)).write_parquet(f"{stand.root}/out", mode=mode, storage=stand.storage)
        return sink.to_pydict(memory="64MiB")["path"]

    def rows():
        return brim.read_parquet(f"{stand.root}/out", storage=stand.storage).count_rows(memory="64MiB")

    assert write("create") == [f"{stand.root}/out/part-00000.parquet"]
    with pytest.raises(brim.StageFailed, match="has objects"):
        write("create")
    write("append")
    assert (rows(), len(stand.keys("out"))) == (200, 2)
    stand.put("out/year=1/old.parquet", parquet(table.slice(0, 1)))
    made = write("overwrite")
    assert [f"{stand.root}/{key}" for key in stand.keys("out")] == made
    assert rows() == 100
    stand.put("out/notes.txt", b"a person's")
    with pytest.raises(brim.StageFailed, match=r"notes.txt, which overwriting would remove"):
        write("overwrite")


def test_partitions_are_folders_of_the_store(s3, table):
    rows = brim.from_arrow(table).with_columns(k=col("id") % 5)
    rows.write_parquet("s3://data/by k", partition_by="k", storage=s3.storage).run_blocking(memory="128MiB")
    back = brim.read_parquet("s3://data/by k", storage=s3.storage)
    sums = back.filter(col("k") == 3).agg(n=col("id").count(), k=col("k").max()).to_pydict(memory="64MiB")
    assert sums == {"n": [ROWS // 5], "k": [3]}


def test_rows_are_written_as_objects(stand):
    rows = {"name": [f"p{i % 3}/{i}.bin" for i in range(40)], "data": [bytes([i]) * (i * 100) for i in range(40)]}
    rows["data"][7], rows["data"][11] = None, bytes(6 << 20)
    pipeline = brim.from_pydict(rows)

    def write(mode, data=pipeline):
        sink = data.write_files(f"{stand.root}/files", name="name", data="data", mode=mode, storage=stand.storage)
        return sink.to_pydict(memory="128MiB")

    written = write("create")
    assert written["bytes"] == [len(data) for data in rows["data"] if data is not None]
    assert stand.get("files/p2/11.bin") == rows["data"][11]
    assert len(stand.keys("files")) == 39
    with pytest.raises(brim.StageFailed, match="something else has been written there"):
        write("append", brim.from_pydict({"name": ["new.bin", "p2/11.bin"], "data": [b"new", bytes(6 << 20)]}))
    assert len(stand.keys("files")) == 39
    with pytest.raises(brim.StageFailed, match="comes twice"):
        write("append", brim.from_pydict({"name": ["x", "x"], "data": [b"1", b"2"]}))
    assert write("overwrite", brim.from_pydict({"name": ["y"], "data": [b"1"]}))["path"] == [f"{stand.root}/files/y"]
    assert stand.keys("files") == ["files/y"]


def large_csv(path, storage, rows=50_000_000):
    return brim.range(rows).with_columns(y=(col("id") * 7919).cast(pa.string())).write_csv(path, storage=storage)


def test_a_cancelled_upload_leaves_nothing(s3):
    async def main():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(large_csv("s3://data/cancelled.csv", s3.storage).run)
            while await anyio.to_thread.run_sync(s3.uploads) != ["cancelled.csv"]:
                pass
            tasks.cancel_scope.cancel()

    anyio.run(main)
    assert s3.uploads() == []
    assert s3.keys("cancelled") == []


def test_a_failed_upload_leaves_nothing(s3):
    calls, seen = [], []

    @brim.udf(returns=pa.string(), backend="thread", batch_size=10_000)
    def fails_late(ids):
        calls.append(len(ids))
        if len(calls) % 20 == 0 and s3.uploads():
            seen.extend(s3.uploads())
            raise ValueError("in the middle")
        return ids.cast(pa.string())

    rows = brim.range(50_000_000).with_columns(y=fails_late(col("id")), z=col("id").cast(pa.string()))
    with pytest.raises(brim.StageFailed, match="in the middle"):
        rows.write_csv("s3://data/failed.csv", storage=s3.storage).run_blocking(memory="128MiB")
    assert seen == ["failed.csv"]
    assert s3.uploads() == []
    assert s3.keys("failed") == []


def test_files_completed_before_a_failure_are_removed(s3):
    @brim.udf(returns=pa.int64(), backend="thread", batch_size=10_000)
    def fails_late(ids):
        if s3.keys("some/"):
            raise ValueError("some are there")
        return ids

    rows = brim.range(50_000_000).with_columns(y=fails_late(col("id")))
    sink = rows.write_csv("s3://data/some", max_file_bytes="1MiB", storage=s3.storage)
    with pytest.raises(brim.StageFailed, match="some are there"):
        sink.run_blocking(memory="128MiB")
    assert s3.keys("some/") == []


@pytest.mark.parametrize("most", [1, 6])
def test_connections_never_exceed_the_limit_as_the_server_saw_them(s3, most):
    body = bytes(40_000)
    urls = [s3.put(f"many/{i}", body) for i in range(120)]
    s3.most_connections()
    rows = brim.from_pydict({"url": urls}).select(n=col("url").url.download(max_connections=64).bin.size())
    total = rows.agg(n=col("n").sum()).to_pydict(memory="64MiB", storage=s3.storage, max_connections=most)
    assert total == {"n": [120 * len(body)]}
    assert s3.most_connections() <= most


def test_a_source_is_looked_at_when_its_columns_are_needed(s3, table):
    url = s3.put("look/a.parquet", parquet(table))
    later = brim.read_parquet(url, storage=s3.storage)
    never = brim.read_parquet("s3://data/not there yet.parquet", schema=table.schema, storage=s3.storage)
    assert repr(later) == "<Pipeline read_parquet-1: columns not looked at yet>"
    assert never.filter(col("id") > 3).schema == table.schema
    assert later.filter(col("id") > 3).schema == table.schema
    assert "id: int64" in repr(later)


def test_in_a_running_loop_a_look_is_awaited(s3, table):
    url = s3.put("look/b.parquet", parquet(table))

    async def main():
        later = brim.read_parquet(url, storage=s3.storage)
        with pytest.raises(brim.PlanError, match=r"await brim.read_parquet\(...\).resolve\(\)"):
            later.filter(col("id") > 3)
        whole = await later.collect(memory="64MiB")
        looked = await brim.read_parquet(url, storage=s3.storage).resolve()
        async with brim.Engine(memory="64MiB", max_runs=1, storage=s3.storage) as engine:
            by_engine = await brim.read_parquet(url).resolve(engine=engine)
            few = await engine.collect(by_engine.filter(col("id") < 5))
        return whole, looked.schema, few

    whole, schema, few = anyio.run(main)
    assert whole.equals(table)
    assert schema == table.schema
    assert few.num_rows == 5


def test_secrets_are_in_no_error_event_or_plan(s3, table):
    url = s3.put("secret/a.parquet", parquet(table))
    wrong = {**s3.storage, "endpoint": "http://127.0.0.1:1"}
    told = []
    with pytest.raises(brim.BrimError) as caught:
        rows = brim.from_pydict({"url": [url]}).select(body=col("url").url.download(retries=1))
        rows.run_blocking(memory="64MiB", storage=wrong, on_event=told.append)
    assert "Connection refused" in str(caught.value)
    plan = brim.read_parquet(url, storage=s3.storage).explain(memory="64MiB")
    for text in (str(caught.value), repr(caught.value.__cause__), repr(told), plan, repr(brim.Storage(**s3.storage))):
        assert SECRET not in text


def test_where_only_public_addresses_are_read_data_may_name_stores_that_are_named_in_storage(s3):
    rows = brim.from_pydict({"url": [s3.put("mine.bin", b"mine"), "s3://private/a"]})
    rows = rows.select(body=col("url").url.download(on_error="null"))
    settings = {"memory": "64MiB", "egress": "public"}
    assert rows.to_pydict(**settings, storage={"s3://data": s3.storage}) == {"body": [b"mine", None]}
    with pytest.raises(brim.StageFailed, match="public addresses only, and stores named in storage="):
        brim.from_pydict({"url": ["s3://data/a"]}).select(b=col("url").url.download()).run_blocking(**settings)


def test_parquet_larger_than_its_budget_is_read_by_ranges(s3):
    random = np.random.default_rng(2)
    wide = pa.table({f"c{i}": random.random(500_000) for i in range(8)})
    url = s3.put("wide.parquet", parquet(wide, compression="none", row_group_size=500_000, use_dictionary=False))
    report = (
        brim.read_parquet(url, storage=s3.storage, columns=["c2", "c5"])
        .agg(a=col("c2").sum(), b=col("c5").sum())
        .run_blocking(memory="64MiB")
    )
    assert report.peak_process_bytes <= 64 << 20
