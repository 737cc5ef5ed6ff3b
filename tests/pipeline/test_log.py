"""The events' logger: silent until the application says otherwise, and the application's own where there is one."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest
import structlog

import brim
from brim.pipeline.log import event_logger


@pytest.fixture(autouse=True)
def _configuration():
    yield
    structlog.reset_defaults()


def test_without_configuration_events_are_text_of_the_standard_logger(caplog):
    with caplog.at_level(logging.INFO, logger="brim"):
        event_logger().info("run.start", run_id="r", rows=3)
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("brim", "INFO")
    assert record.getMessage() == "event='run.start' run_id='r' rows=3"


def test_below_the_level_nothing_is_made(caplog):
    class Costly:
        def __repr__(self):
            raise AssertionError("it was written out")

    with caplog.at_level(logging.WARNING, logger="brim"):
        event_logger().info("run.start", what=Costly())
    assert caplog.records == []


def test_the_applications_configuration_is_used():
    seen = []

    def keep(logger, method, fields):
        seen.append(fields)
        raise structlog.DropEvent

    structlog.configure(processors=[keep])
    heard = []
    assert brim.range(3).run_blocking(memory="64MiB", on_event=heard.append).rows == 3
    assert [fields["event"] for fields in seen] == ["run.start", "run.stop"]
    assert seen == heard
    assert {fields["run_id"] for fields in seen} == {seen[0]["run_id"]}


def test_a_program_that_says_nothing_about_logs_sees_none():
    code = "import brim; print(brim.range(3).run_blocking(memory='64MiB', progress=False).rows)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("3\n", "")


def test_standard_handlers_of_the_root_see_the_events():
    code = """
import logging, sys
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(name)s %(message)s")
import brim
brim.range(3).run_blocking(memory="64MiB", progress=False)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith("brim ")]
    assert [line.split()[1] for line in lines] == ["event='run.start'", "event='run.stop'"]
    assert done.stderr == ""
