"""Requests to Microsoft Graph: its headers, its limit, its pages and its errors."""

import asyncio
import re
from collections.abc import AsyncIterator, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit
from weakref import WeakValueDictionary

import msgspec

from tenantry.calendars.microsoft.resources import CalendarPage, EventPage
from tenantry.calendars.wire import CalendarHttp, HttpAnswer
from tenantry.domain.errors import CalendarRefused, CalendarUnavailable, ConnectionBroken, TenantryError

_AT_ONCE = 4
_MOST_PAGES = 500
_PREFER = ('IdType="ImmutableId"', 'outlook.timezone="UTC"')
# Another change of the same event was under way.
_PASSING = frozenset({409, 412, 423})
_SYNC_LOST = frozenset({"syncstatenotfound", "syncstateinvalid", "resyncrequired", "fullsyncrequired"})
_Page = TypeVar("_Page", EventPage, CalendarPage)


class _Fault(msgspec.Struct, frozen=True):
    code: str = ""


class _Faulty(msgspec.Struct, frozen=True):
    error: _Fault = _Fault()


class MailboxGates:
    """Who may ask for a mailbox: four requests at once of one app are what Graph allows for each."""

    def __init__(self) -> None:
        self._gates: WeakValueDictionary[Hashable, asyncio.Semaphore] = WeakValueDictionary()

    def of(self, mailbox: Hashable) -> asyncio.Semaphore:
        """The gate that all of this process share for the mailbox while one of them holds it."""
        gate = self._gates.get(mailbox)
        if gate is None:
            gate = self._gates[mailbox] = asyncio.Semaphore(_AT_ONCE)
        return gate


@dataclass(frozen=True, slots=True)
class Graph:
    """Requests for one mailbox. `api_url` is such as "https://graph.microsoft.com/v1.0"."""

    http: CalendarHttp
    api_url: str
    gate: asyncio.Semaphore

    def url(self, *path: str, query: Mapping[str, str] | None = None) -> str:
        """The URL of a resource by the parts of its path, which may hold any character."""
        address = "/".join([self.api_url, *(quote(part, safe="") for part in path)])
        return f"{address}?{urlencode(query, quote_via=quote, safe='$,:')}" if query else address

    def owns(self, url: str) -> bool:
        """Whether a link leads to this API, so that the credential may go there."""
        own, other = urlsplit(self.api_url), urlsplit(url)
        same = (own.scheme, own.netloc) == (other.scheme, other.netloc)
        return same and other.path.startswith(f"{own.path}/") and "/.." not in other.path

    async def ask(
        self, method: str, url: str, body: Mapping[str, Any] | None = None, *, prefer: Sequence[str] = ()
    ) -> HttpAnswer:
        """The answer, whatever its status. Raises CalendarUnavailable; ConnectionBroken also when the directory wants
        its user to consent again (a claims challenge)."""
        headers = {"Prefer": ", ".join([*_PREFER, *prefer]), "Accept": "application/json"}
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = msgspec.json.encode(body)
        async with self.gate:
            answer = await self.http.send(method, url, headers=headers, body=content)
        if answer.status == 403 and (
            "insufficient_claims" in answer.headers.get("www-authenticate", "")
            or error_code(answer) == "insufficient_claims"
        ):
            await self.http.credentials.broken("HTTP 403 insufficient_claims")
            raise ConnectionBroken
        return answer

    async def pages(self, url: str, page: type[_Page], *, prefer: Sequence[str] = ()) -> AsyncIterator[_Page]:
        """The pages from `url` on. Raises what `failure` makes of an answer that is none, and CalendarUnavailable."""
        for _ in range(_MOST_PAGES):
            answer = await self.ask("GET", url, prefer=prefer)
            if not answer.ok:
                raise failure(answer)
            found = answer.read(page)
            yield found
            if found.next_link is None:
                return
            if not self.owns(found.next_link):
                raise CalendarUnavailable("Microsoft Graph answered with a link to another server.")
            url = found.next_link
        raise CalendarUnavailable("Microsoft Graph answered with too many pages.")


class SyncStateLost(CalendarUnavailable):
    """The provider does not know any more what it told of this calendar; ask for all of it."""


def error_code(answer: HttpAnswer) -> str:
    """Graph's code of an error, "" without one. Its message may quote what was sent, and is not read."""
    try:
        code = msgspec.json.decode(answer.body, type=_Faulty).error.code
    except msgspec.MsgspecError:
        return ""
    return code if re.fullmatch(r"[A-Za-z0-9_.]{1,80}", code) else ""


def failure(answer: HttpAnswer) -> TenantryError:
    """What an answer that is no success means."""
    code = error_code(answer)
    told = f"HTTP {answer.status} {code}".rstrip()
    if answer.status == 410 or code.lower() in _SYNC_LOST:
        return SyncStateLost(f"Microsoft Graph lost the state of the calendar: {told}.")
    if answer.status in _PASSING:
        return CalendarUnavailable(f"Microsoft Graph could not do this for now: {told}.")
    return CalendarRefused(
        f"Microsoft Graph refused: {told}. Check that the calendar exists and may be written, or choose another one."
    )
