"""The logger of the events. The library binds, the application configures; nothing is printed by itself.

Its own configuration is looked at when an engine is opened, and never changed:

    structlog is configured    ──► a structlog logger called "brim", through the application's processors
    it is not                  ──► logging.getLogger("brim"): `key=value` text, the fields as `record.brim`
"""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

import structlog

from brim.pipeline.summaries import SUMMARY

DEBUG = frozenset({SUMMARY})
_TEXT = structlog.processors.KeyValueRenderer(key_order=["event"])


@dataclass(frozen=True, slots=True)
class EventLogger:
    """Tells events to `logger`, each at its level."""

    logger: Any

    def info(self, event: str, **fields: Any) -> None:
        """Tell an event: what comes every second is for who debugs."""
        (self.logger.debug if event in DEBUG else self.logger.info)(event, **fields)


def event_logger() -> EventLogger:
    """A logger called ``brim``: of the application's structlog if it is configured, else of standard logging."""
    if structlog.is_configured():
        logger = structlog.get_logger("brim").bind()
        return EventLogger(getattr(logger, "sync_bl", logger))  # one that must be awaited has one that need not be
    standard = logging.getLogger("brim")
    if not standard.handlers:
        standard.addHandler(logging.NullHandler())  # as every library: silent until the application says otherwise
    return EventLogger(
        structlog.wrap_logger(
            standard,
            processors=[structlog.stdlib.filter_by_level, _as_record],
            wrapper_class=structlog.stdlib.BoundLogger,
        )
    )


def _as_record(logger: Any, method: str, fields: MutableMapping[str, Any]) -> tuple[tuple[str], dict[str, Any]]:
    """What standard logging is called with: the text, and for handlers that want them the fields."""
    return (str(_TEXT(logger, method, dict(fields))),), {"extra": {"brim": dict(fields)}}
