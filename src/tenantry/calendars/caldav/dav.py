"""The verbs of WebDAV and CalDAV on one server, none of whose answers leads to another one."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import ParamSpec, TypeVar

from yarl import URL

from tenantry.calendars.caldav import multistatus
from tenantry.calendars.caldav.multistatus import DAV, Multistatus, Response
from tenantry.calendars.wire import CalendarHttp, HttpAnswer
from tenantry.domain.errors import CalendarRefused, CalendarUnavailable

P = ParamSpec("P")
T = TypeVar("T")

GONE = frozenset({404, 410})
_REDIRECTS = frozenset({301, 302, 307, 308})
_MAX_REDIRECTS = 3
_XML = "application/xml; charset=utf-8"
_ICALENDAR = "text/calendar; charset=utf-8"
# Megabytes of somebody's calendar are read beside the event loop, and beside the threads in which names are resolved:
# one that is slow to read must not hold up others' calls.
_readers = ThreadPoolExecutor(2, thread_name_prefix="caldav")


@dataclass(frozen=True, slots=True)
class CalendarObject:
    """A calendar object resource (RFC 4791, 4.1): its path, its entity tag where the server gives one, and its
    iCalendar text."""

    path: str
    tag: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Dav:
    """Requests to the server at `base`. Resources are named by their absolute paths there.

    Every request raises CalendarUnavailable, ConnectionBroken, and CalendarRefused for statuses that its docstring does
    not name.
    """

    http: CalendarHttp
    base: URL

    def path(self, href: str, relative_to: str = "/") -> str:
        """The path of what a server or a member named, always written the same way. Raises CalendarRefused for what is
        on another server: the credential would go there."""
        try:
            url = self.base.join(URL(relative_to)).join(URL(href))
            elsewhere = (url.scheme, url.host, url.port) != (self.base.scheme, self.base.host, self.base.port)
        except ValueError as error:
            raise CalendarRefused("The calendar server names something that is no address.") from error
        if elsewhere:
            raise CalendarRefused(f"These calendars are on another server: connect with {url.origin()} instead.")
        if url.raw_fragment:
            raise CalendarRefused("A single occurrence of a recurring event cannot be changed.")
        return url.raw_path

    async def propfind(self, path: str, depth: int, names: Sequence[str]) -> list[Response]:
        """The properties of a resource and, with depth 1, of what is in it. Redirects on the server are followed."""
        body = multistatus.request(f"{DAV}propfind", multistatus.properties(names))
        headers = {"Depth": str(depth), "Content-Type": _XML}
        for _ in range(_MAX_REDIRECTS + 1):
            answer = await self._send("PROPFIND", path, headers, body)
            location = answer.headers.get("location")
            if answer.status not in _REDIRECTS or location is None:
                return list((await _multistatus(answer)).responses)
            path = self.path(location, path)
        raise CalendarRefused("The calendar server redirects in circles.")

    async def report(self, path: str, body: bytes, depth: int = 1) -> Multistatus:
        """The answer to a REPORT."""
        return await _multistatus(await self.try_report(path, body, depth))

    async def try_report(self, path: str, body: bytes, depth: int) -> HttpAnswer:
        """The answer to a REPORT, whatever its status."""
        return await self._send("REPORT", path, {"Depth": str(depth), "Content-Type": _XML}, body)

    async def get(self, path: str) -> CalendarObject | None:
        """A calendar object; None when it does not exist."""
        answer = await self._send("GET", path, {"Accept": "text/calendar"})
        if answer.status in GONE:
            return None
        _refuse_unless(answer.ok, answer)
        return CalendarObject(path, answer.headers.get("etag"), answer.body.decode(errors="replace"))

    async def put(self, path: str, body: bytes, condition: Mapping[str, str]) -> HttpAnswer:
        """Store a calendar object under the condition, a header. The answer is 2xx, or 403, 404, 409, 410 or 412."""
        answer = await self._send("PUT", path, {**condition, "Content-Type": _ICALENDAR}, body)
        _refuse_unless(answer.ok or answer.status in {403, 404, 409, 410, 412}, answer)
        return answer

    async def delete(self, path: str) -> None:
        """Delete a calendar object; nothing when it does not exist."""
        answer = await self._send("DELETE", path, {})
        _refuse_unless(answer.ok or answer.status in GONE, answer)

    async def _send(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> HttpAnswer:
        # Not joined: a path that begins with two slashes would name another server.
        url = self.base.origin().with_path(path, encoded=True)
        answer = await self.http.send(method, str(url), headers=headers, body=body)
        if answer.status == 507:
            raise CalendarUnavailable("The calendar server has no room left.")
        return answer


async def beside_the_loop(read: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
    """What reading gives, done in a thread."""
    return await asyncio.get_running_loop().run_in_executor(_readers, partial(read, *args, **named))


def refused(answer: HttpAnswer) -> CalendarRefused:
    """What an answer means that nothing can be done about."""
    return CalendarRefused(
        f"The calendar server does not let this be done (HTTP {answer.status}); check the calendar's rights, or choose "
        "another one."
    )


def _refuse_unless(good: bool, answer: HttpAnswer) -> None:
    if not good:
        raise refused(answer)


async def _multistatus(answer: HttpAnswer) -> Multistatus:
    _refuse_unless(answer.status == 207, answer)
    return await beside_the_loop(multistatus.parse, answer.body)
