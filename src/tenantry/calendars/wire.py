"""HTTP to calendar providers: authorized requests, renewed once when refused, and what their answers mean."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import msgspec

from tenantry.calendars.base import Access, Credentials
from tenantry.domain.errors import CalendarRefused, CalendarUnavailable, ConnectionBroken
from tenantry.outbound.client import CallFailed, OutboundHttp, OutboundRequest

TIMEOUT_S = 10.0
_LARGEST = 4 * 2**20
_AWAY = frozenset({408, 425, 429, 500, 502, 503, 504})
# A provider that asks for no more than this is waited for, once, instead of failing what a person waits for.
_PATIENCE_S = 2.0

# What a CalendarUnavailable says of an answer that cannot be read.
UNDOCUMENTED = "The calendar provider's answer is not what it documents."

Shape = TypeVar("Shape")


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A final answer: neither a refusal of the credential nor one that may pass. `headers` have lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    def json(self) -> dict[str, Any]:
        """The body as a JSON object. Raises CalendarUnavailable when it is none."""
        return self.read(dict[str, Any])

    def read(self, shape: type[Shape]) -> Shape:
        """The body, which is JSON, as what msgspec makes of it. Raises CalendarUnavailable when it is of another
        shape."""
        try:
            return msgspec.json.decode(self.body, type=shape)
        except msgspec.DecodeError as error:
            raise CalendarUnavailable(UNDOCUMENTED) from error


@dataclass(frozen=True, slots=True)
class CalendarHttp:
    """Requests with the credential of one connection; one that is not answered within `timeout_s` seconds failed."""

    outbound: OutboundHttp
    credentials: Credentials
    timeout_s: float = TIMEOUT_S

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        refuses: Callable[[HttpAnswer], bool] = lambda answer: answer.status == 401,
    ) -> HttpAnswer:
        """The answer to the request. One that `refuses` the credential has it renewed, and the request sent again,
        once.

        Raises CalendarUnavailable, also for 429 and 5xx, ConnectionBroken after a second refusal, and
        CalendarRefused for an address that calls may not go to.
        """
        access = await self.credentials.access()
        answer = await self._patiently(method, url, headers, body, access)
        if refuses(answer):
            access = await self.credentials.renew(access)
            answer = await self._patiently(method, url, headers, body, access)
            if refuses(answer):
                await self.credentials.broken("HTTP 401 with a fresh token")
                raise ConnectionBroken
        return answer

    async def _patiently(
        self, method: str, url: str, headers: Mapping[str, str] | None, body: bytes | None, access: Access
    ) -> HttpAnswer:
        try:
            return await self._once(method, url, headers, body, access)
        except CalendarUnavailable as away:
            if away.retry_after is None or away.retry_after > _PATIENCE_S:
                raise
            await asyncio.sleep(away.retry_after)
        return await self._once(method, url, headers, body, access)

    async def _once(
        self, method: str, url: str, headers: Mapping[str, str] | None, body: bytes | None, access: Access
    ) -> HttpAnswer:
        own = {"Authorization": access.authorization}
        request = OutboundRequest(method, url, headers or {}, own, body, self.timeout_s)
        try:
            async with asyncio.timeout(self.timeout_s), self.outbound.stream(request) as stream:
                content = b"".join([chunk async for chunk in stream.chunks(_LARGEST)])
        except CallFailed as failed:
            if failed.reason == "address_not_allowed":
                raise CalendarRefused(failed.message) from failed
            raise CalendarUnavailable(f"The calendar provider could not be asked: {failed.message}") from failed
        except TimeoutError as error:
            raise CalendarUnavailable("The calendar provider did not answer in time.") from error
        if stream.status in _AWAY:
            raise CalendarUnavailable(
                f"The calendar provider answered HTTP {stream.status}.", retry_after=retry_after(stream.headers)
            )
        return HttpAnswer(stream.status, stream.headers, content)


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """The seconds that `Retry-After` asks for, given in seconds or as a date (RFC 9110, 10.2.3); None without it."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (at - (now or datetime.now(UTC))).total_seconds()) if at.tzinfo else None
