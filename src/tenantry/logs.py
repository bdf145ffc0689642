"""Structured logs on standard error: readable on a terminal, JSON lines elsewhere. Nothing personal is ever logged:
people and things appear by their ids."""

import logging
import sys
import traceback
from types import TracebackType

import structlog
from structlog.typing import EventDict, WrappedLogger


def configure_logs(level: str) -> None:
    """Log from `level` (debug, info, warning, error) up."""
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    terminal = sys.stderr.isatty()
    renderer = structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _frames_of_errors,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    # uvicorn and asyncio log what nobody caught.
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_FramesOnly("%(levelname)s %(name)s %(message)s"))
    handler.addFilter(_is_news)
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[handler], force=True)


def _is_news(record: logging.LogRecord) -> bool:
    # uvicorn says so of every socket that is refused with an answer, which is how an intruder would fill the log.
    return record.msg != "ASGI callable returned without completing handshake."


class _FramesOnly(logging.Formatter):
    def formatException(
        self, ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
    ) -> str:
        """As `_frames_of_errors`, for the standard library's log."""
        kind, _, trace = ei
        return "\n".join([kind.__qualname__ if kind else "", *_frames(trace)])


def _frames_of_errors(_: WrappedLogger, __: str, entry: EventDict) -> EventDict:
    """An exception as its type and the places it passed: its message may quote what a person said."""
    given = entry.pop("exc_info", None)
    error = given if isinstance(given, BaseException) else sys.exc_info()[1] if given else None
    if error is not None:
        entry["exception"] = type(error).__qualname__
        entry["at"] = _frames(error.__traceback__)
    return entry


def _frames(trace: TracebackType | None) -> list[str]:
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(trace)]
