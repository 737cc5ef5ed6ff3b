"""A class as a user function, built once a worker, whose bad rows become null and are kept with their errors.

With `on_error` a function may see a row again: a batch that fails is halved until the bad row is found, so that it
costs none of its neighbours.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa

import brim
from brim import col


@brim.udf(returns=pa.date32(), batch_size=256, concurrency=2, on_error="null", dead_letter="bad_rows/")
class Dates:
    """Parses dates of one format; a model would load its weights in the constructor."""

    def __init__(self, form: str) -> None:
        self.form = form

    def __call__(self, texts: pa.Array) -> list[dt.date | None]:
        return [self.parse(text) for text in texts.to_pylist()]

    def parse(self, text: str | None) -> dt.date | None:
        return None if text is None else dt.datetime.strptime(text, self.form).date()  # noqa: DTZ007 - dates


def main() -> None:
    texts = [f"{1 + number % 31}.10.2026" for number in range(1000)]
    texts[137], texts[700] = "yesterday", "31.02.2026"
    dates = Dates("%d.%m.%Y")
    parsed = brim.from_pydict({"text": texts}).with_columns(date=dates(col("text")))
    report = parsed.write_parquet("dates.parquet", mode="overwrite").run_blocking(memory="256MiB")
    print(report)
    failed = brim.read_parquet("bad_rows/")
    print(f"{failed.count_rows()} rows in {sorted(path.suffix for path in Path('bad_rows').iterdir())}:")
    failed.select("text", "error").show()


if __name__ == "__main__":
    main()
