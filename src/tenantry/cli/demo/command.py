"""`tenantry demo`: two callers at once over real HTTP, one to each member's agent, and where their bookings went."""

import asyncio
import secrets
from dataclasses import dataclass

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tenantry.cli.demo.callers import Caller
from tenantry.cli.demo.seed import JON, MARK, SLUG, agent_id, seed
from tenantry.cli.local import Home, local_server, passing_key, run, settings_for
from tenantry.client import ApiError, TenantryClient
from tenantry.client.calendar import CalendarEvent
from tenantry.domain.errors import NotFound
from tenantry.domain.tenant import Member, Tenant
from tenantry.settings import Settings
from tenantry.storage.repositories import tenants
from tenantry.storage.tenancy import Database


def demo(home: Home = None) -> None:
    """Two callers at once, one to each member's agent; fails unless each booking is in the right calendar only."""
    run(_demo(settings_for(home)))


@dataclass(frozen=True, slots=True)
class _Calendars:
    """What each key can see: every member's own, and the whole tenant's."""

    members: dict[str, list[CalendarEvent]]
    tenant: list[CalendarEvent]


async def _demo(settings: Settings) -> int:
    console = Console()
    async with local_server(settings) as (runtime, url):
        tenant, members = await _people(runtime.db)
        async with passing_key(runtime.db, tenant.id) as key, TenantryClient.open(url, key) as client:
            callers = _callers(tenant)
            await _talk(console, client, callers)
            calendars = await _calendars(runtime.db, url, tenant, members, client)
    console.print(_calendar_tables(calendars, members))
    faults = list(_faults(callers, calendars, members))
    for fault in faults:
        console.print(f"[bold red]wrong:[/] {fault}")
    if not faults:
        console.print("[bold green]Each booking is in its owner's calendar and nowhere else.[/]")
    return 1 if faults else 0


async def _people(db: Database) -> tuple[Tenant, dict[str, Member]]:
    async with db.operator() as tx:
        tenant = await tenants.find(tx, SLUG)
    if tenant is None:
        await seed(db)
        return await _people(db)
    async with db.tenant(tenant.id) as tx:
        members = {member.email: member for member in await tenants.list_members(tx)}
    if MARK not in members or JON not in members:
        raise NotFound(f"The tenant {SLUG!r} is not the demo's: it lacks {MARK} or {JON}. Use an empty TENANTRY_HOME.")
    return tenant, {email: members[email] for email in (MARK, JON)}


def _callers(tenant: Tenant) -> dict[str, Caller]:
    run_id = secrets.token_hex(4)
    return {
        MARK: Caller(
            name="Ada",
            agent_id=agent_id(tenant.id, MARK),
            lead_id=f"demo-ada-{run_id}",
            opening="Hi, I would like to sell my house",
            answers={"property_address": "It's 123 Main Street, Springfield", "email": "ada at example dot com"},
            wanted_time="Next Tuesday at three pm, please",
            when_optional="I was hoping for half a million",
        ),
        JON: Caller(
            name="Grace",
            agent_id=agent_id(tenant.id, JON),
            lead_id=f"demo-grace-{run_id}",
            opening="Good morning! I am thinking of selling 9 Oak Avenue, Shelbyville",
            answers={"email": "grace@example.org", "phone": "My number is 212 555 0147"},
            wanted_time="Can someone come next Tuesday at 3pm?",
        ),
    }


async def _talk(console: Console, client: TenantryClient, callers: dict[str, Caller]) -> None:
    with Live(_transcripts(callers), console=console, refresh_per_second=10) as live:

        def changed() -> None:
            live.update(_transcripts(callers))

        results = await asyncio.gather(
            *(caller.call(client, changed) for caller in callers.values()), return_exceptions=True
        )
    for result in results:
        if isinstance(result, ApiError):
            console.print(f"[red]the API answered {result}[/]")
        elif result is not None:
            raise result


def _transcripts(callers: dict[str, Caller]) -> RenderableType:
    table = Table.grid(expand=True, padding=(0, 1))
    panels: list[RenderableType] = []
    for email, caller in callers.items():
        table.add_column(ratio=1)
        lines = [
            Text.assemble((f"{who}: ", "bold cyan" if who == caller.name else "bold yellow"), said)
            for who, said in caller.transcript
        ]
        panels.append(Panel(Group(*lines), title=f"{caller.name} calls {email}"))
    table.add_row(*panels)
    return table


async def _calendars(
    db: Database, url: str, tenant: Tenant, members: dict[str, Member], client: TenantryClient
) -> _Calendars:
    seen: dict[str, list[CalendarEvent]] = {}
    for email, member in members.items():
        async with passing_key(db, tenant.id, member.id) as key, TenantryClient.open(url, key) as own:
            seen[email] = [event async for event in own.calendar.events()]
    return _Calendars(seen, [event async for event in client.calendar.events()])


def _calendar_tables(calendars: _Calendars, members: dict[str, Member]) -> RenderableType:
    tables: list[RenderableType] = []
    for email in members:
        table = Table("when", "what", "details", title=f"Calendar of {email}")
        for event in calendars.members[email]:
            details = ", ".join(str(value) for value in event.details.values())
            table.add_row(event.start.isoformat(), event.title, details)
        tables.append(table)
    return Columns(tables, equal=True, expand=True)


def _faults(callers: dict[str, Caller], calendars: _Calendars, members: dict[str, Member]) -> list[str]:
    faults: list[str] = []
    for email, caller in callers.items():
        if caller.booking is None:
            faults.append(f"{caller.name} got no appointment with {email}")
            continue
        booking_id = caller.booking["booking_id"]
        found = [event for event in calendars.tenant if str(event.id) == booking_id]
        owners = {event.owner_member_id for event in found}
        if len(found) != 1 or owners != {members[email].id}:
            names = [other for other, member in members.items() if member.id in owners]
            faults.append(f"{caller.name}'s appointment with {email} is in the calendar of {names or 'nobody'}")
        for other, events in calendars.members.items():
            there = any(str(event.id) == booking_id for event in events)
            if there != (other == email):
                faults.append(f"{other} {'sees' if there else 'does not see'} {caller.name}'s appointment with {email}")
    return faults
