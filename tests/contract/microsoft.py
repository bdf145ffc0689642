"""The contract's harness for Microsoft 365, on the strict server of Graph."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from ipaddress import ip_network
from uuid import UUID

from tenantry.calendars.microsoft.graph import MailboxGates
from tenantry.calendars.microsoft.provider import MicrosoftCalendar
from tenantry.calendars.wire import CalendarHttp
from tenantry.domain.booking import Interval
from tenantry.domain.ids import new_id
from tenantry.outbound.addresses import NetworkPolicy
from tenantry.outbound.client import OutboundHttp
from tests.contract.harness import IMPATIENT_S, HeldCredentials, NewHarness, Stored
from tests.graph_mailbox import Mailbox, opaque
from tests.graph_server import graph_server
from tests.graph_service import GraphServer


class MicrosoftHarness:
    """An account of its own."""

    def __init__(self, server: GraphServer, http: OutboundHttp, mailbox: Mailbox) -> None:
        async def issue() -> str:
            return server.login.issue(mailbox.address)

        self.server = server
        self.http = http
        self.mailbox = mailbox
        self.credentials = HeldCredentials(f"Bearer {server.login.issue(mailbox.address)}", issue)
        gate = MailboxGates().of(new_id())
        self.provider = MicrosoftCalendar(CalendarHttp(http, self.credentials), server.api_url, gate)
        hasty = CalendarHttp(http, self.credentials, IMPATIENT_S)
        self.impatient = MicrosoftCalendar(hasty, server.api_url, asyncio.Semaphore(4))
        self.calendar = mailbox.default
        self.second = mailbox.add_calendar("Garden")
        self.absent = opaque("AAkALg")

    async def plant(
        self,
        slot: Interval | None = None,
        *,
        title: str = "Private",
        all_day_on: date | None = None,
        weekly: int = 0,
        free: bool = False,
        calendar: str | None = None,
    ) -> str:
        start, end = (slot.start, slot.end) if slot is not None else (None, None)
        show_as = "free" if free else "busy"
        return self.mailbox.plant(
            start, end, day=all_day_on, calendar=calendar, subject=title, weekly=weekly, show_as=show_as
        ).id

    async def move(self, remote_id: str, slot: Interval) -> None:
        self.mailbox.move(remote_id, slot.start, slot.end)

    async def delete(self, remote_id: str) -> None:
        self.mailbox.delete(remote_id)

    async def stored(self) -> list[Stored]:
        return [
            Stored(
                event.id,
                Interval(event.start, event.end),
                UUID(event.transaction_id) if event.transaction_id else None,
                event.subject,
                frozenset(each["emailAddress"]["address"] for each in event.attendees),
            )
            for event in self.mailbox.events.values()
            if event.calendar == self.calendar and not event.all_day and not event.weekly
        ]

    async def fail_next(self, status: int, retry_after: int | None = None) -> None:
        self.server.fail(status, retry_after=None if retry_after is None else str(retry_after))

    async def hang_after_commit(self) -> None:
        self.server.hang_after_commit()

    async def forget_tokens(self) -> None:
        self.server.rounds.clear()


@asynccontextmanager
async def opened() -> AsyncIterator[NewHarness]:
    """A server with an account for each harness; it must have been asked for nothing that Graph does not take."""
    http = OutboundHttp(NetworkPolicy((ip_network("127.0.0.0/8"),)))
    async with graph_server() as server:
        number = 0

        async def new() -> MicrosoftHarness:
            nonlocal number
            number += 1
            server.faults.clear()
            return MicrosoftHarness(server, http, server.add_mailbox(f"anna{number}@contoso.example"))

        try:
            yield new
        finally:
            await http.close()
    assert server.violations == []
