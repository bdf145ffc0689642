"""`tenantry connection`: what members sign in to, so that their agents can use it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated
from uuid import UUID

import typer
from aiohttp import web
from rich.console import Console
from rich.table import Column, Table

from tenantry.cli.agents.session import TenantName, Url, Where, client_of, owners_of
from tenantry.cli.local import Home, run
from tenantry.cli.providers import hidden
from tenantry.client import TenantryClient
from tenantry.client.connections import OAuthName
from tenantry.domain.errors import InvalidInput, NotFound

connection_app = typer.Typer(help="Accounts at calendar providers that agents may use.", no_args_is_help=True)

ProviderArgument = Annotated[str, typer.Argument(help="microsoft, google or caldav.")]
MemberOption = Annotated[str | None, typer.Option("--member", help="E-mail address of whose it is; else the tenant's.")]
# As long as a consent may take.
_PATIENCE_S = 600.0
_BACK = "This window can be closed; the command says what came of it."


@connection_app.command("list")
def connection_list(tenant: TenantName = None, url: Url = None, home: Home = None) -> None:
    """What is connected, and how it is."""
    run(_list(Where(tenant, url, home)))


async def _list(where: Where) -> None:
    table = Table("provider", "owner", "account", "health", "reason")
    async with client_of(where) as client:
        owners = await owners_of(client)
        async for each in client.connections.list():
            owner = owners.get(each.owner_member_id, "removed") if each.owner_member_id else "(tenant)"
            table.add_row(each.provider, owner, each.account, each.health, each.reason)
    Console().print(table)


@connection_app.command("connect")
def connection_connect(
    provider: ProviderArgument,
    member: MemberOption = None,
    server: Annotated[str | None, typer.Option(help="CalDAV: the server's URL.")] = None,
    username: Annotated[str | None, typer.Option(help="CalDAV: who signs in; the password is asked for.")] = None,
    port: Annotated[
        int, typer.Option(help="Where the browser comes back to on 127.0.0.1, if the provider has to know it.")
    ] = 0,
    tenant: TenantName = None,
    url: Url = None,
    home: Home = None,
) -> None:
    """Connect an account: by a consent in the browser of this machine, to CalDAV by a password."""
    where = Where(tenant, url, home)
    match provider:
        case "caldav" if server and username:
            run(_connect_caldav(where, member, server, username, hidden("Password")))
        case "caldav":
            raise typer.BadParameter("CalDAV needs --server and --username.")
        case "microsoft" | "google":
            run(connect(where, member, provider, port))
        case _:
            raise typer.BadParameter(f"{provider!r} is none of microsoft, google, caldav.")


async def _connect_caldav(where: Where, email: str | None, server: str, username: str, password: str) -> None:
    async with client_of(where) as client:
        owner = await _owner(client, email)
        made = await client.connections.connect_caldav(server, username, password, owner_member_id=owner)
    print(f"caldav is connected as {made.account}")


async def connect(where: Where, email: str | None, provider: OAuthName, port: int = 0) -> None:
    """What the command does by OAuth, for the member with this address or for the key's own; the browser comes back to
    this port of 127.0.0.1, by default any. Raises ApiError, NotFound, and InvalidInput when the port is in use or when
    nobody came back in time."""
    async with client_of(where) as client, _listening(port) as (redirect_uri, came_back):
        asked = await client.connections.authorize(
            provider, redirect_uri=redirect_uri, owner_member_id=await _owner(client, email)
        )
        print(f"Open this in a browser of this machine, and allow what is asked for:\n\n{asked.authorization_url}\n")
        print("Waiting for you to come back …", flush=True)
        try:
            async with asyncio.timeout(_PATIENCE_S):
                back = await came_back
        except TimeoutError as error:
            raise InvalidInput("Nobody came back in time; run this again.") from error
        await client.connections.finish(asked, **back)
    print(f"{provider} is connected")


@connection_app.command("disconnect")
def connection_disconnect(
    provider: ProviderArgument,
    member: MemberOption = None,
    tenant: TenantName = None,
    url: Url = None,
    home: Home = None,
) -> None:
    """Remove a connection, and have the provider take the consent back where it can."""
    run(_disconnect(Where(tenant, url, home), member, provider))


async def _disconnect(where: Where, email: str | None, provider: str) -> None:
    async with client_of(where) as client:
        gone = await client.connections.disconnect(provider, owner_member_id=await _owner(client, email))
    print(f"{provider} is disconnected. {gone.detail}")


@connection_app.command("calendars")
def connection_calendars(
    provider: ProviderArgument,
    book: Annotated[str | None, typer.Option(help="Id of the calendar that bookings are to go to.")] = None,
    busy: Annotated[
        list[str] | None, typer.Option(help="Id of a calendar that is to count as busy; repeatable.")
    ] = None,
    member: MemberOption = None,
    tenant: TenantName = None,
    url: Url = None,
    home: Home = None,
) -> None:
    """The calendars of a connection; with --book or --busy, use these and no others of it."""
    run(_calendars(Where(tenant, url, home), member, provider, book, busy))


async def _calendars(where: Where, email: str | None, provider: str, book: str | None, busy: list[str] | None) -> None:
    async with client_of(where) as client:
        owner = await _owner(client, email)
        if book is None and busy is None:
            found = await client.connections.calendars(provider, owner_member_id=owner)
        else:
            counts_busy = [*(busy or []), *([book] if book else [])]
            found = await client.connections.choose_calendars(
                provider, counts_busy=counts_busy, takes_bookings=book, owner_member_id=owner
            )
    table = Table(Column("id", no_wrap=True, overflow="fold"), "name", "main", "busy", "bookings")
    for each in found.calendars:
        marks = ("yes" if mark else "" for mark in (each.primary, each.counts_busy, each.takes_bookings))
        table.add_row(each.remote_id, each.name, *marks)
    Console().print(table)


async def _owner(client: TenantryClient, email: str | None) -> UUID | None:
    if email is None:
        return None
    for member in await client.members.list():
        if member.email == email.lower():
            return member.id
    raise NotFound(f"{email} is no member of this tenant; `tenantry member add` makes one.")


@asynccontextmanager
async def _listening(port: int) -> AsyncGenerator[tuple[str, asyncio.Future[dict[str, str]]]]:
    """A loopback address for the browser to come back to (RFC 8252, 7.3), and what it comes back with."""
    came_back: asyncio.Future[dict[str, str]] = asyncio.get_running_loop().create_future()

    async def handle(request: web.Request) -> web.Response:
        if "state" in request.query and not came_back.done():
            came_back.set_result({name: request.query.get(name, "") for name in ("state", "code", "error")})
        return web.Response(text=_BACK, headers={"Referrer-Policy": "no-referrer", "Cache-Control": "no-store"})

    app = web.Application()
    app.router.add_get("/", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
        except (OSError, OverflowError) as error:
            raise InvalidInput(
                f"The browser cannot come back to port {port}; give another one that is free."
            ) from error
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/", came_back
    finally:
        await runner.cleanup()
