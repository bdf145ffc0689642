"""How often a call to a service is sent, and what is told when nobody knows whether it had its effect."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tenantry.domain.tools import ToolResult
from tenantry.outbound.client import CallFailed

# What ends an attempt without a word from the service.
_CUT_OFF = frozenset({"timeout", "refused"})
# What ends it with an answer that nobody can read: the service took the call and may have done what it was asked.
_UNREADABLE = frozenset({"too_large", "bad_answer"})
# Of the time limit, so that an idempotent call that hangs can be sent again within it.
_FIRST_SHARE = 2 / 3


@dataclass(frozen=True, slots=True)
class Attempts:
    """The attempts at one call. What `reads` has no effect; what is `idempotent` has it once, however often it is
    sent under its key; `repeated` tells that an earlier attempt of the turn may have been sent. All attempts together
    take at most `limit_s` seconds."""

    reads: bool
    idempotent: bool
    repeated: bool
    limit_s: float

    def given_up(self) -> ToolResult | None:
        """`unknown` when the call may have been made and must not be made again; nothing is to be sent then."""
        return UNKNOWN if self.repeated and not (self.reads or self.idempotent) else None

    async def make(self, send: Callable[[float], Awaitable[ToolResult]]) -> ToolResult:
        """What `send` results in; it is given the seconds that it may take, and raises CallFailed.

        A read is sent again once after a broken connection, an idempotent call after a time-out too; anything else is
        sent once. An effect that was perhaps asked for, and of which the service said nothing that can be read, is
        `unknown`.
        """
        ends = asyncio.get_running_loop().time() + self.limit_s
        twice = self.idempotent and not self.reads
        try:
            return await send(self.limit_s * _FIRST_SHARE if twice else self.limit_s)
        except CallFailed as failure:
            first = failure
        left = ends - asyncio.get_running_loop().time()
        if left <= 0 or not self._again(first):
            return self._told(first, sent_before=self.repeated)
        try:
            return await send(left)
        except CallFailed as last:
            return self._told(last, sent_before=True)

    def _again(self, failure: CallFailed) -> bool:
        if not failure.sent or failure.reason not in _CUT_OFF:
            return False
        return self.idempotent or (self.reads and failure.reason == "refused")

    def _told(self, failure: CallFailed, *, sent_before: bool) -> ToolResult:
        unanswered = not failure.sent or failure.reason in _CUT_OFF
        if not self.reads and unanswered and (failure.sent or sent_before):
            return UNKNOWN
        if not self.reads and failure.sent and failure.reason in _UNREADABLE:
            return ToolResult(
                {"status": "unknown", "reason": failure.reason, "message": f"{failure.message} {_UNREAD}"}
            )
        doubt = " Whether it did what it was asked is not known." if failure.sent and not self.reads else ""
        return ToolResult({"status": "failed", "reason": failure.reason, "message": failure.message + doubt})


_UNREAD = "The service took the call, but what came of it cannot be read. It is not asked again; a person should check."
# What is told of a call that may have been made and is not made again.
UNKNOWN = ToolResult(
    {
        "status": "unknown",
        "reason": "outcome_unknown",
        "message": "The call was cut off; whether the service did what it was asked is not known. It is not asked "
        "again; a person should check.",
    }
)
