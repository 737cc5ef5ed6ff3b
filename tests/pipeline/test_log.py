"""The events' logger: silent until the application says otherwise, and the application's own where there is one."""

from __future__ import annotations

import json
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
    assert record.brim == {"event": "run.start", "run_id": "r", "rows": 3}


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


def test_what_comes_every_second_is_for_who_debugs(caplog):
    for level, seen in ((logging.INFO, ["run.stop"]), (logging.DEBUG, ["run.summary", "run.stop"])):
        caplog.clear()
        with caplog.at_level(level, logger="brim"):
            event_logger().info("run.summary", rows=3)
            event_logger().info("run.stop", rows=3)
        assert [record.brim["event"] for record in caplog.records] == seen


@pytest.mark.parametrize("level", [logging.INFO, logging.DEBUG])
def test_the_level_of_the_applications_structlog_is_kept(level):
    seen = []

    def keep(logger, method, fields):
        seen.append((method, fields["event"]))
        raise structlog.DropEvent

    structlog.configure(processors=[keep], wrapper_class=structlog.make_filtering_bound_logger(level))
    event_logger().info("run.summary", rows=3)
    event_logger().info("run.stop", rows=3)
    assert seen == [("debug", "run.summary"), ("info", "run.stop")][level == logging.INFO :]


def test_values_bound_by_the_application_to_its_task_are_in_the_events():
    seen = []

    def keep(logger, method, fields):
        seen.append(fields)
        raise structlog.DropEvent

    structlog.configure(processors=[structlog.contextvars.merge_contextvars, keep])
    with structlog.contextvars.bound_contextvars(request="r-7"):
        brim.range(3).run_blocking(memory="64MiB")
    assert {fields["request"] for fields in seen} == {"r-7"}


def test_a_logger_that_is_made_to_be_awaited_is_not_left_unawaited():
    seen = []

    def keep(logger, method, fields):
        seen.append(fields["event"])
        raise structlog.DropEvent

    structlog.configure(processors=[keep], wrapper_class=structlog.stdlib.AsyncBoundLogger)
    brim.range(3).run_blocking(memory="64MiB")
    assert seen == ["run.start", "run.stop"]


def test_structlog_through_standard_logging_is_the_applications_affair(caplog):
    """The set-up of structlog's documentation: its processors, standard logging's handlers."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    with caplog.at_level(logging.INFO):
        brim.range(3).run_blocking(memory="64MiB")
    seen = [json.loads(record.getMessage()) for record in caplog.records if record.name == "brim"]
    assert [(fields["event"], fields["level"]) for fields in seen] == [("run.start", "info"), ("run.stop", "info")]


def test_no_configuration_is_changed():
    root = logging.getLogger()
    before = (list(root.handlers), root.level, structlog.get_config(), logging.getLogger("brim").level)
    brim.range(3).run_blocking(memory="64MiB")
    assert (list(root.handlers), root.level, structlog.get_config(), logging.getLogger("brim").level) == before
    assert not structlog.is_configured()


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
