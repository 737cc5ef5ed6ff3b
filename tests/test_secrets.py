"""Secrets in URLs, headers, storage options, rows and configuration are in nothing that brim says.

Runs that succeed, retry and fail in each way there is; what they say is searched: log lines, events, errors with their
causes and tracebacks, reprs, `explain`, `stats`, reports, names of spill files, command lines of workers.

Of rows there are exceptions, in errors that are raised and nowhere else (`docs/reference/errors.md`): what a function of
the user's says in its own exception, the row that an expression fails on, the value that is not of its column's type,
and the names that rows give to files.
"""

from __future__ import annotations

import os
import signal

import anyio
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from secret_kit import CANARIES, CONFIGURATION, ROW, Heard, found_in, secret_url
from servers.faulty_http import Cut, Drop, Status, faulty_server
from servers.small_s3 import small_s3

import brim
from brim import col, lit

pytestmark = pytest.mark.anyio
ERRORS = ("error ",)
"""Where what the rule says of rows may be."""


@pytest.fixture
def heard(tmp_path):
    heard = Heard(tmp_path)
    with heard.listening():
        yield heard


def rows(count: int = 3) -> brim.Pipeline:
    return brim.from_pydict({"id": range(count), "secret": [f"{ROW}-{n}" for n in range(count)]})


def download(*urls: str, **options) -> brim.Pipeline:
    headers = {"Authorization": f"Bearer {CANARIES['header']}"}
    step = col("url").url.download(**{"headers": headers, "retries": 1, **options})
    return brim.from_pydict({"url": list(urls), "secret": [ROW] * len(urls)}).with_columns(body=step)


def test_the_canaries_are_seen_where_they_are():
    """The test of the test."""
    assert found_in(secret_url("http://h/p")) == ["user", "password", "token", "signature"]
    heard = Heard(None)
    heard.say("log", f"{ROW}")
    assert heard.leaks() == [f"row in log: {ROW}"]
    assert heard.leaks("log") == []


# Transfers


async def test_a_download_that_succeeds_after_retries(heard):
    async with faulty_server() as server:
        urls = [
            server.put("a", b"body", Status(503), Drop()),
            server.put("b", b"body", Cut(2)),
            server.put("c", b"body"),
        ]
        await heard.run(download(*map(secret_url, urls), retries=3))
        assert server.requests[0][1]["Authorization"].endswith(CANARIES["header"])
    assert heard.error is None
    assert "download.retry" in {event["event"] for event in heard.events}
    assert heard.leaks() == []


@pytest.mark.parametrize("on_error", ["raise", "null"])
@pytest.mark.parametrize(
    "fault",
    [
        "missing",
        "refused",
        "unavailable",
        "dropped",
        "cut",
        "large",
        "nobody",
        "redirected",
        "egress",
        "scheme",
        "no url",
    ],
)
async def test_a_download_that_fails(heard, fault, on_error):
    async with faulty_server() as server:
        there = {
            "missing": lambda: server.url("nothing"),
            "refused": lambda: server.put("a", b"", Status(403), Status(403)),
            "unavailable": lambda: server.put("a", b"", Status(503), Status(503)),
            "dropped": lambda: server.put("a", b"", Drop(), Drop()),
            "cut": lambda: server.put("a", b"x" * 100, Cut(3), Cut(3), etag=None),
            "large": lambda: server.put("a", b"x" * 100),
            "nobody": lambda: "http://127.0.0.1:1/a",
            "redirected": lambda: server.put("a", b"", Status(302, {"Location": secret_url(server.url("gone"))})),
            "egress": lambda: server.put("a", b"x"),
            "scheme": lambda: "ftp://example.org/a",
            "no url": lambda: "http://[:bad/a",
        }[fault]()
        options = {"max_bytes": 10} if fault == "large" else {}
        settings = {"egress": "public"} if fault == "egress" else {}
        await heard.run(download(secret_url(there), on_error=on_error, **options), **settings)
    assert (heard.error is not None) == (on_error == "raise")
    assert on_error == "raise" or heard.report.errors
    assert heard.leaks() == []


@pytest.mark.parametrize("write", ["write_parquet", "write_csv", "write_json", "write_files"])
@pytest.mark.parametrize("refuse", [None, 403, 500])
async def test_a_store_that_takes_what_is_written_or_refuses(heard, refuse, write):
    keys = {
        "access_key_id": CANARIES["access key"],
        "secret_access_key": CANARIES["secret key"],
        "session_token": CANARIES["session"],
    }
    async with small_s3(refuse=refuse, keys=keys) as store:
        options = {"name": "secret", "data": "data"} if write == "write_files" else {}
        pipeline = rows().with_columns(data=lit(b"x")) if write == "write_files" else rows()
        with anyio.fail_after(60):
            await heard.run(getattr(pipeline, write)("s3://data/out", storage=store.storage, **options))
    assert (heard.error is None) == (refuse is None)
    assert heard.leaks(*(ERRORS if write == "write_files" else ())) == []


async def test_a_store_without_the_object(heard):
    keys = {"access_key_id": CANARIES["access key"], "secret_access_key": CANARIES["secret key"]}
    async with small_s3(keys=keys) as store:
        storage = store.storage
        await heard.run(brim.read_parquet("s3://data/none.parquet", storage=storage), storage=storage)
        await heard.run(download("s3://data/none"), storage=storage)
    assert heard.error is not None
    assert heard.leaks() == []


@pytest.mark.parametrize("what", ["there", "refused", "nobody"])
async def test_an_endpoint_with_a_password(heard, what):
    async with small_s3(refuse=403 if what == "refused" else None) as store:
        place = "127.0.0.1:1" if what == "nobody" else f"127.0.0.1:{store.port}"
        storage = {**store.storage, "endpoint": secret_url(f"http://{place}").partition("?")[0]}
        with anyio.fail_after(60):
            await heard.run(download("s3://data/none"), storage=storage)
            await heard.run(rows().write_parquet("s3://data/out"), storage=storage)
    assert heard.leaks() == []


# Declarations


@pytest.mark.parametrize(
    "declare",
    [
        lambda: brim.read_parquet(secret_url("http://example.org/a.parquet")),
        lambda: brim.read_parquet(secret_url("s3://data/a.parquet")),
        lambda: brim.read_csv(secret_url("ftp://example.org/a.csv")),
        lambda: brim.range(3).write_parquet(secret_url("ftp://example.org/a")),
        lambda: brim.range(3).write_parquet(secret_url("http://example.org/a")),
        lambda: brim.range(3).write_csv(secret_url("s3://data/a")),
        lambda: brim.range(3).write_parquet("s3://", storage={"secret_access_key": CANARIES["secret key"]}),
        lambda: brim.Storage(secret_access_key=CANARIES["secret key"]),
        lambda: brim.Storage(sas_token=CANARIES["token"].encode()),
        lambda: brim.Storage(endpoint=secret_url("ftp://example.org")),
        lambda: brim.Engine(storage={"secretkey": CANARIES["secret key"]}),
        lambda: brim.Engine(storage={secret_url("http://example.org"): {"region": "x"}}),
        lambda: brim.Engine(storage=[CANARIES["secret key"]]),
        lambda: col("u").url.download(headers={"Authorization": f"{CANARIES['header']}\r\nx"}),
        lambda: col("u").url.download(headers={"Authorization": CANARIES["header"].encode()}),
        lambda: col("u").url.download(headers=[CANARIES["header"]]),
        lambda: brim.from_pylist([ROW]),
        lambda: brim.from_batches([ROW], [ROW]),
        lambda: brim.from_arrow({"a": ROW}),
    ],
)
async def test_a_declaration_that_cannot_be(heard, declare):
    heard.declare(declare)
    assert heard.leaks() == []


@pytest.mark.parametrize(
    "declare", [lambda: brim.from_pydict({"a": [1, ROW]}), lambda: brim.from_pylist([{"a": 1}, {"a": ROW}])]
)
async def test_a_value_that_is_not_of_its_column(heard, declare):
    heard.declare(declare)
    assert ROW in str(heard.error)
    assert heard.leaks(*ERRORS) == []


async def test_reprs_of_what_holds_secrets(heard):
    storage = brim.Storage(
        endpoint=secret_url("https://example.org"),
        access_key_id=CANARIES["access key"],
        secret_access_key=CANARIES["secret key"],
        session_token=CANARIES["session"],
    )
    step = col("url").url.download(headers={"X-Key": CANARIES["header"]})
    pipeline = brim.from_pydict({"url": [secret_url("http://h/p")]}).with_columns(body=step)
    stored = brim.range(3).write_parquet("s3://data/out", storage=storage)
    made = brim.udf(returns=pa.int64())(Configured)(CONFIGURATION)
    called = made(col("id"), CONFIGURATION)
    computed = rows().with_columns(x=called)
    things = (storage, step, pipeline, stored, made, called, computed, brim.Engine(storage=storage))
    for what in (*things, pipeline.node, stored.node, computed.node):
        heard.say(type(what).__name__, what)
    for shown in (pipeline, stored, computed):
        heard.say("explain", shown.explain(memory="1GiB"))
    assert heard.leaks() == []


# Rows and configuration in functions


class Configured:
    def __init__(self, key, fails=False):
        self.key, self.fails = key, fails

    def __call__(self, ids):
        if self.fails:
            raise ValueError("no")
        return ids


@pytest.mark.parametrize("fails", [False, True])
async def test_a_class_that_is_built_with_a_secret(heard, fails):
    made = brim.udf(returns=pa.int64(), retries=1)(Configured)
    await heard.run(rows().with_columns(x=made(CONFIGURATION, fails=fails)(col("id"))))
    assert (heard.error is None) == (not fails)
    assert "worker.start" in {event["event"] for event in heard.events}
    assert heard.leaks() == []


async def test_a_class_that_cannot_be_built(heard):
    @brim.udf(returns=pa.int64())
    class Broken:
        def __init__(self, key):
            raise RuntimeError("no")

        def __call__(self, ids):
            return ids

    await heard.run(rows().with_columns(x=Broken(CONFIGURATION)(col("id"))))
    assert heard.error is not None
    assert heard.leaks() == []


async def test_a_function_that_is_given_a_secret(heard):
    @brim.udf(returns=pa.int64(), backend="thread")
    def keyed(ids, key):
        raise ValueError("no")

    await heard.run(rows().with_columns(x=keyed(col("id"), CONFIGURATION)))
    assert heard.error is not None
    assert heard.leaks() == []


@pytest.mark.parametrize("backend", ["process", "thread", "async"])
@pytest.mark.parametrize("on_error", ["raise", "null", "drop"])
async def test_a_function_that_raises_with_the_row(heard, on_error, backend):
    """Its words are in the error that is raised; logs, events and the report have the kind of the error."""
    if backend == "async":

        @brim.row_udf(returns=pa.string(), on_error=on_error, retries=1)
        async def failing(text):
            raise ValueError(f"bad row {text}")
    else:

        @brim.row_udf(returns=pa.string(), on_error=on_error, backend=backend, retries=1)
        def failing(text):
            raise ValueError(f"bad row {text}")

    await heard.run(rows().with_columns(x=failing(col("secret"))))
    if on_error == "raise":
        assert ROW in str(heard.error)
    else:
        assert "ValueError" in str(heard.report.errors)
    assert heard.leaks(*ERRORS) == []


async def test_a_function_that_breaks_its_word(heard):
    @brim.udf(returns=pa.int64())
    def wrong(texts):
        return texts

    await heard.run(rows().with_columns(x=wrong(col("secret"))))
    assert heard.error is not None
    assert heard.leaks() == []


async def test_a_worker_that_is_killed_with_the_row_in_hand(heard):
    @brim.udf(returns=pa.string())
    def dying(texts):
        os.kill(os.getpid(), signal.SIGKILL)
        return texts

    await heard.run(rows(1).with_columns(x=dying(col("secret"))))
    assert heard.error is not None
    assert "worker.restart" in {event["event"] for event in heard.events}
    assert heard.leaks() == []


async def test_a_function_that_takes_too_long(heard):
    @brim.row_udf(returns=pa.string(), on_error="null", timeout_s=0.05, retries=1)
    async def late(text):
        await anyio.sleep(5)
        return text

    await heard.run(rows(1).with_columns(x=late(col("secret"))))
    assert "UdfTimeout: took longer" in str(heard.report.errors)
    assert heard.leaks() == []


async def test_rows_that_are_kept_as_dead_letters_are_there_and_nowhere_else(heard, tmp_path):
    @brim.row_udf(returns=pa.string(), on_error="drop", dead_letter=str(tmp_path / "letters"), backend="thread")
    def failing(text):
        raise ValueError(f"bad row {text}")

    await heard.run(rows().with_columns(x=failing(col("secret"))))
    kept = pq.read_table(tmp_path / "letters").to_pylist()
    assert all(letter["secret"] in letter["error"] for letter in kept)
    assert len(kept) == 3
    assert heard.leaks() == []


async def test_what_a_function_prints_is_passed_on_and_nothing_else_is(heard):
    """The rule's other half: who prints a row has said it himself."""

    @brim.udf(returns=pa.string())
    def loud(texts):
        print(CONFIGURATION)  # noqa: T201 - on purpose
        return texts

    await heard.run(rows().with_columns(x=loud(col("secret"))))
    assert {event["event"] for event in heard.events if found_in(repr(event))} == {"worker.output"}


async def test_an_iterable_that_raises(heard):
    def batches():
        yield {"secret": [ROW]}
        raise RuntimeError("the database is gone")

    await heard.run(brim.from_batches(batches, pa.schema({"secret": pa.string()})))
    assert heard.error is not None
    assert heard.leaks() == []


async def test_an_iterable_of_the_wrong_batches(heard):
    schema = pa.schema({"secret": pa.int64()})
    for item in ({"secret": [ROW]}, {"secret": pa.array([ROW])}, pa.record_batch({"secret": [ROW]}), ROW, {"x": [ROW]}):
        await heard.run(brim.from_batches(lambda item=item: iter([item]), schema))
        assert heard.error is not None
    assert heard.leaks(*ERRORS) == []


# Rows in expressions, files and on disk


async def test_an_expression_that_fails_on_the_row(heard):
    """The error shows the row that has no value; nothing else does."""
    await heard.run(rows().select(number=col("secret").cast(int)))
    assert ROW in heard.error.__cause__.row
    assert heard.leaks(*ERRORS) == []


def _corrupt(folder, kind):
    place = folder / f"broken.{kind}"
    if kind == "csv":
        place.write_text(f"a,b\n1,{ROW}\n2,{ROW},{ROW}\n")
    elif kind == "typed.csv":
        place.write_text(f"a,b\n1,2\n2,{ROW}\n")
    elif kind == "jsonl":
        place.write_text(f'{{"a": "{ROW}"}}\n{{"a": "{ROW}\n')
    elif kind == "typed.jsonl":
        place.write_text(f'{{"a": 1}}\n{{"a": "{ROW}"}}\n')
    elif kind == "parquet":
        pq.write_table(pa.table({"a": [f"{ROW}-{n}" for n in range(1000)]}), place, compression="none")
        data = bytearray(place.read_bytes())
        data[40:400] = data[400:760]
        place.write_bytes(data)
    else:
        place.write_bytes(f"ARROW1\0\0{ROW * 50}".encode())
    return place


@pytest.mark.parametrize("on_error", ["raise", "skip"])
@pytest.mark.parametrize("kind", ["csv", "typed.csv", "jsonl", "typed.jsonl", "parquet", "arrow"])
async def test_a_file_that_is_broken(heard, tmp_path, kind, on_error):
    place = _corrupt(tmp_path, kind)
    schema = {
        "csv": pa.schema({"a": pa.int64(), "b": pa.string()}),
        "typed.csv": pa.schema({"a": pa.int64(), "b": pa.int64()}),
        "typed.jsonl": pa.schema({"a": pa.int64()}),
    }.get(kind, pa.schema({"a": pa.string()}))
    read = {"csv": brim.read_csv, "jsonl": brim.read_json, "parquet": brim.read_parquet, "arrow": brim.read_arrow}
    await heard.run(read[kind.rpartition(".")[2]](place, schema=schema, on_error=on_error))
    assert heard.leaks(*(ERRORS if kind == "typed.csv" else ())) == []


async def test_images_that_are_none(heard):
    for on_error in ("raise", "null"):
        images = rows().select(x=col("secret").cast(bytes).image.decode(on_error=on_error))
        await heard.run(images)
    assert heard.leaks() == []


@pytest.mark.parametrize("name", [f"../{ROW}", f"/{ROW}", ROW])
async def test_files_whose_names_cannot_be(heard, tmp_path, name):
    made = brim.from_pydict({"name": [name, name], "data": [b"1", b"2"]})
    await heard.run(made.write_files(tmp_path / "out", name="name", data="data"))
    assert heard.error is not None
    assert heard.leaks(*ERRORS) == []


@pytest.mark.parametrize("limit", [None, "1MiB"])
@pytest.mark.parametrize("what", ["sort", "group", "join"])
async def test_rows_that_go_to_disk_and_a_disk_that_is_full(heard, what, limit):
    keys = pa.array([f"{ROW}-{n:08d}" for n in np.random.default_rng(1).permutation(400_000)])
    table = brim.from_arrow(pa.table({"secret": keys}))
    made = {
        "sort": lambda: table.sort("secret"),
        "group": lambda: table.group_by("secret").agg(n=col("secret").count()),
        "join": lambda: table.join(table.select("secret"), on="secret"),
    }[what]()
    await heard.run(made, memory="64MiB", spill_limit=limit)
    assert "spill.write" in {event["event"] for event in heard.events} or heard.error is not None
    assert limit is None or isinstance(heard.error.__cause__, brim.SpillDiskFull)
    assert heard.leaks() == []


async def test_a_row_that_is_too_large(heard):
    @brim.row_udf(returns=pa.string(), backend="thread")
    def widen(text):
        return text * 10_000_000

    await heard.run(rows(1).with_columns(x=widen(col("secret"))), memory="64MiB")
    assert heard.error is not None
    assert heard.leaks() == []
