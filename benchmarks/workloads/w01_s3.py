"""W1 with its photographs in S3: download, decode, scale, a vector of each, Parquet to S3. moto is the server.

    python -m benchmarks.workloads.w01_s3 [--memory 256MiB] [--photographs 1000] [--connections 32] [--rounds 1]

A run prints its seconds, the growth of its process tree as brim and as a sampler outside say, and the most connections
that the server saw at once, which are never more than were allowed. The server is far slower than S3 and shares the
cores, so the seconds say what it could do, too; `download only` is the same without decoding, for comparison.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from obstore.store import S3Store

from benchmarks.data.photographs import photographs
from benchmarks.process_tree import Sampler
from benchmarks.workloads.w01_photographs import BATCH, SEED, SIDE, vectors

ROOT = Path(__file__).parents[2]
SERVER = ROOT / "tests" / "servers" / "s3_server.py"
KEYS = {"access_key_id": "key", "secret_access_key": "secret", "region": "us-east-1"}


def main() -> None:
    options = parse()
    if options.endpoint:
        child(options)
        return
    folder = photographs(ROOT / "build" / "bench", options.photographs, SEED)
    with server() as endpoint:
        fill(endpoint, folder)
        for _ in range(options.rounds):
            for work in ("download only", "whole"):
                print(json.dumps(measured(endpoint, work, options)))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memory", default="256MiB")
    parser.add_argument("--photographs", type=int, default=1000)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--endpoint", help=argparse.SUPPRESS)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    return parser.parse_args()


@contextmanager
def server() -> Iterator[str]:
    with subprocess.Popen(
        [sys.executable, str(SERVER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()
            process.terminate()


def fill(endpoint: str, folder: Path) -> None:
    for bucket in ("photographs", "out"):
        urllib.request.urlopen(urllib.request.Request(f"{endpoint}/{bucket}", method="PUT"))
    store = S3Store("photographs", endpoint=endpoint, **KEYS, client_options={"allow_http": True})
    for path in sorted(folder.glob("*.jpg")):
        store.put(path.name, path, use_multipart=False)


def measured(endpoint: str, work: str, options: argparse.Namespace) -> dict[str, object]:
    """One run, in a process of its own."""
    urllib.request.urlopen(f"{endpoint}/connections").read()
    command = [sys.executable, "-m", "benchmarks.workloads.w01_s3", "--endpoint", endpoint, "--work", work]
    command += ["--memory", options.memory, "--photographs", str(options.photographs)]
    command += ["--connections", str(options.connections)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()  # it has imported what it needs
        sampler = Sampler(process.pid)
        sampler.start()
        process.stdin.write("go\n")
        process.stdin.flush()
        told = json.loads(process.stdout.readline())
        peaks = sampler.stop()
        process.stdin.close()
    seen = int(urllib.request.urlopen(f"{endpoint}/connections").read())
    outside = round(peaks.growth / 2**20, 1)
    return {"work": work, "memory": options.memory, **told, "outside_mib": outside, "connections_seen": seen}


def child(options: argparse.Namespace) -> None:
    import brim
    from brim import col

    storage = {"endpoint": options.endpoint, **KEYS}
    urls = [f"s3://photographs/{number:06d}.jpg" for number in range(options.photographs)]
    rows = brim.from_pydict({"id": list(range(len(urls))), "url": urls})
    rows = rows.with_columns(body=col("url").url.download(max_connections=options.connections))
    if options.work == "whole":
        import pyarrow as pa

        vector = brim.udf(returns=pa.list_(pa.float32()), batch_size=BATCH, concurrency=2)(vectors)
        rows = rows.with_columns(thumb=col("body").image.decode(mode="RGB").image.resize(SIDE, SIDE))
        rows = rows.with_columns(vector=vector(col("thumb"))).select("id", "vector")
        rows = rows.write_parquet("s3://out/vectors.parquet", mode="overwrite")
    else:
        rows = rows.select("id", size=col("body").bin.size())
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.perf_counter()
    report = rows.run_blocking(memory=options.memory, processes=2, storage=storage, max_connections=options.connections)
    told = {"seconds": round(time.perf_counter() - began, 2), "rows": report.rows}
    print(json.dumps({**told, "brim_mib": round(report.peak_process_bytes / 2**20, 1)}), flush=True)


if __name__ == "__main__":
    main()
