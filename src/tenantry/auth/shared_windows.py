"""What windows that several processes count in must offer; its implementations are loaded where they are set up."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID


class WindowsAway(Exception):
    """The windows could not be reached; the text is the kind of error, without address or password."""


class SharedWindows(Protocol):
    """Sliding windows of a minute."""

    async def admit(self, asked: Sequence[tuple[tuple[UUID, str, UUID | str], int]]) -> tuple[int, float] | None:
        """Count one message in every window of these (key, amount) or, when one is full, in none: then the place of
        that with the longest wait, and the seconds until it has room. Raises WindowsAway."""
        ...

    async def reachable(self) -> bool:
        """Whether messages can be counted there now."""
        ...

    async def close(self) -> None:
        """Close its connections."""
        ...
