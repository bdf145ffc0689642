"""`tenantry calls`: who is on the phone, what was said, and hanging up."""

import math
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from tenantry.cli.agents.session import TenantName, Url, Where, client_of, owners_of
from tenantry.cli.local import ID_WIDTH, Home, local_server, passing_key, run, settings_for
from tenantry.client import TenantryClient
from tenantry.client.calls import Call, CallLine, CallRecord
from tenantry.domain.ids import parse_id
from tenantry.storage.repositories import tenants

calls_app = typer.Typer(help="Calls: those that are live first.", invoke_without_command=True)

CallId = Annotated[str, typer.Argument(help="The call's id, as `tenantry calls` shows it.")]
OneOfTenants = Annotated[str | None, typer.Option("--tenant", help="One tenant only.")]


@calls_app.callback()
def list_calls(
    context: typer.Context,
    tenant: OneOfTenants = None,
    live: Annotated[bool, typer.Option("--live", help="Only those that are not over.")] = False,
    most: Annotated[int, typer.Option(help="How many that are over, of each tenant.", min=0)] = 20,
    url: Url = None,
    home: Home = None,
) -> None:
    """List calls, of all tenants unless one is named, or show one, or hang up."""
    if context.invoked_subcommand is None:
        run(_list(Where(tenant, url, home), 0 if live else most))


@calls_app.command("show")
def show(call: CallId, tenant: TenantName = None, url: Url = None, home: Home = None) -> None:
    """What was said in a call, and how long the agent took."""
    run(_show(Where(tenant, url, home), _id_of(call)))


@calls_app.command("hang-up")
def hang_up(call: CallId, tenant: TenantName = None, url: Url = None, home: Home = None) -> None:
    """End a call."""
    run(_hang_up(Where(tenant, url, home), _id_of(call)))


def _id_of(text: str) -> UUID:
    call_id = parse_id(text)
    if call_id is None:
        raise typer.BadParameter(f"{text!r} is no call's id; `tenantry calls` lists them.")
    return call_id


async def _list(where: Where, most: int) -> None:
    headings = ("tenant", "started (UTC)", "agent", "owner", "via", "status", "lasted", "reason")
    table = Table(Column("id", min_width=ID_WIDTH), *headings)
    async with aclosing(_clients(where)) as clients:
        async for slug, client in clients:
            names = {agent.id: agent.definition.name async for agent in client.agents.list()}
            owners = await owners_of(client)
            for call in await _calls(client, most):
                agent = names.get(call.agent_id, str(call.agent_id))
                owner = owners.get(call.owner_member_id, "removed") if call.owner_member_id else "(tenant)"
                started, reason = f"{call.started_at:%Y-%m-%d %H:%M:%S}", call.end_reason or call.hang_up or ""
                row = (slug, started, escape(agent), owner, call.transport, call.status, _lasted(call), reason)
                table.add_row(str(call.id), *row)
    Console().print(table if table.row_count else "There are no calls.")


async def _clients(where: Where) -> AsyncGenerator[tuple[str, TenantryClient]]:
    """A client for each tenant that is meant, with the tenant's name, which is empty where only the key says it."""
    if where.url is not None or where.tenant is not None:
        async with client_of(where) as client:
            yield where.tenant or "", client
        return
    async with local_server(settings_for(where.home)) as (runtime, url):
        async with runtime.db.operator() as tx:
            there = await tenants.list_all(tx)
        for tenant in there:
            async with passing_key(runtime.db, tenant.id) as key, TenantryClient.open(url, key) as client:
                yield tenant.slug, client


async def _calls(client: TenantryClient, most: int) -> list[Call]:
    """The live ones, then the last of those that are over."""
    found = [call async for call in client.calls.list(live=True)]
    if most:
        async with aclosing(client.calls.list(live=False)) as over:
            async for call in over:
                found.append(call)
                most -= 1
                if not most:
                    break
    return found


async def _show(where: Where, call_id: UUID) -> None:
    async with client_of(where) as client:
        record = await client.calls.get(call_id)
    _print(Console(highlight=False), record)


def _print(console: Console, record: CallRecord) -> None:
    call = record.call
    reason = f", {call.end_reason}" if call.end_reason else ""
    console.print(f"[bold]Call[/] {call.id} of conversation {call.conversation_id}: {call.status}{reason}")
    console.print(f"{call.started_at:%Y-%m-%d %H:%M:%S} UTC by {call.transport}, room {call.room}, {_lasted(call)}")
    if call.recognition:
        where = "on these machines" if call.local else "at providers"
        console.print(f"heard by {escape(call.recognition)}, spoken by {escape(call.speech)}, {where}")
    for line in record.lines:
        console.print(_line(line))
    if record.typical_timings:
        console.print(f"typically {_timings(record.typical_timings)}")
    if record.recorded_bytes:
        console.print(f"recorded: {record.recorded_bytes:,} bytes, GET /api/v1/calls/{call.id}/recording")


def _line(line: CallLine) -> str:
    cut = f" [dim](interrupted; of {escape(line.said)!r})[/]" if line.interrupted else ""
    timings = f" [dim]{_timings(line.timings)}[/]" if line.timings else ""
    return f"{line.by}> {escape(line.heard)}{cut}{timings}"


def _timings(timings: Mapping[str, float]) -> str:
    return ", ".join(f"{stage} {took:,.0f} ms" for stage, took in timings.items())


def _lasted(call: Call) -> str:
    if call.answered_at is None:
        return "not answered"
    return str(timedelta(seconds=math.floor(((call.ended_at or datetime.now(UTC)) - call.answered_at).total_seconds())))


async def _hang_up(where: Where, call_id: UUID) -> None:
    async with client_of(where) as client:
        call = await client.calls.hang_up(call_id)
    print(f"call {call.id} is over: {call.end_reason}" if call.ended_at else f"call {call.id} is asked to end")
