"""Structured logs: one line an event, JSON in production, and the request's id in every line of its request."""

from __future__ import annotations

import logging
import re
import sys
from typing import Any

import orjson
import structlog

from jobs.ids import new_id

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("lethe.api")

_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,128}\Z")


def configure(level: str, style: str) -> None:
    """Send this process's logs, its libraries' included, to standard error.

    Args:
        level: ``DEBUG``, ``INFO``, ``WARNING`` or ``ERROR``.
        style: ``json``, or ``console`` for people.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    render: list[structlog.typing.Processor]
    if style == "json":
        # Without the frames' local variables: they may hold keys.
        traceback = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        render = [
            structlog.processors.ExceptionRenderer(traceback),
            structlog.processors.JSONRenderer(serializer=_dumps),
        ]
    else:
        plain = structlog.dev.plain_traceback  # the default shows local variables, too
        render = [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # Its access log would repeat ours, without the request's id.
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("alembic").setLevel("WARNING")


def take_request_id(given: str | None) -> str:
    """Take the id of a request that begins: the caller's own if it is a plain word, else a fresh one. It is in every
    log line and every error of this request from here on."""
    value = given if given is not None and _GIVEN_ID.match(given) else new_id("evt").replace("evt_", "req_")
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=value)
    return value


def request_id() -> str | None:
    """Return the id of the request that is being answered; ``None`` outside of one."""
    value = structlog.contextvars.get_contextvars().get("request_id")
    return value if isinstance(value, str) else None


def _dumps(value: Any, default: Any = None, **_: Any) -> str:
    return orjson.dumps(value, default=default or repr, option=orjson.OPT_NON_STR_KEYS).decode()
