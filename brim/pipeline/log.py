"""The logger of the events. The library binds, the application configures; nothing is printed by itself."""

from __future__ import annotations

import logging
from typing import Any

import structlog


def event_logger() -> Any:
    """A structlog logger called ``brim``: the application's configuration if there is one, else standard logging's.

    Without structlog's configuration events go to ``logging.getLogger("brim")`` as ``key=value`` text.
    """
    if structlog.is_configured():
        return structlog.get_logger("brim")
    standard = logging.getLogger("brim")
    if not standard.handlers:
        standard.addHandler(logging.NullHandler())  # as every library: silent until the application says otherwise
    return structlog.wrap_logger(
        standard,
        processors=[structlog.stdlib.filter_by_level, structlog.processors.KeyValueRenderer(key_order=["event"])],
        wrapper_class=structlog.stdlib.BoundLogger,
    )
