"""Listening to LiveKit's objects, whose events have no types."""

from collections.abc import Callable
from typing import Any


def listen(emitter: Any, event: str, heard: Callable[..., None]) -> None:
    """Call `heard` at each such event of a room, a session or a server; it has to return at once."""
    emitter.on(event, heard)


def unlisten(emitter: Any, event: str, heard: Callable[..., None]) -> None:
    """Not any more."""
    emitter.off(event, heard)
