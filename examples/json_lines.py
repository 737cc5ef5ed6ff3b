"""JSON lines in and out: rows of nested data, lines that are broken left out, a file for each country."""

from __future__ import annotations

from pathlib import Path

import brim
from brim import col

LINES = """\
{"id": 1, "user": {"name": "Ada", "country": "GB"}, "tags": ["new", "paid"]}
{"id": 2, "user": {"name": "Emil", "country": "DE"}, "tags": []}
this line is no JSON
{"id": 3, "user": {"name": "Zoe", "country": "GB"}, "tags": ["paid"]}
"""


def main() -> None:
    Path("events.jsonl").write_text(LINES)
    report = (
        brim.read_json("events.jsonl", on_error="skip")
        .select("id", "tags", name=col("user").struct.field("name"), country=col("user").struct.field("country"))
        .with_columns(paid=col("tags").list.contains("paid"))
        .write_json("by_country/", partition_by="country", mode="overwrite")
        .run_blocking(memory="64MiB")
    )
    print(report.errors)
    for path in sorted(Path("by_country").rglob("*.jsonl")):
        print(path)
        print(path.read_text(), end="")


if __name__ == "__main__":
    main()
