"""`tenantry calendar`: calendars to subscribe to."""

from typing import Annotated
from uuid import UUID

import typer
from yarl import URL

from tenantry.cli.agents.session import TenantName, Url, Where, client_of
from tenantry.cli.local import Home, run, settings_for
from tenantry.client import TenantryClient
from tenantry.domain.errors import NotFound

calendar_app = typer.Typer(help="Calendars of members and of the tenant.", no_args_is_help=True)
feed_app = typer.Typer(help="Secret URLs at which a calendar can be subscribed to.", no_args_is_help=True)
calendar_app.add_typer(feed_app, name="feed")

MemberEmail = Annotated[
    str | None,
    typer.Option("--member", help="The e-mail address of the member whose calendar it is; else the tenant's."),
]


@feed_app.command("create")
def create(member: MemberEmail = None, tenant: TenantName = None, url: Url = None, home: Home = None) -> None:
    """Make a new URL, shown once; the calendar's one before is dead from now on."""
    run(_create(Where(tenant, url, home), member))


@feed_app.command("remove")
def remove(member: MemberEmail = None, tenant: TenantName = None, url: Url = None, home: Home = None) -> None:
    """End the calendar's feed."""
    run(_remove(Where(tenant, url, home), member))


async def _create(where: Where, member: str | None) -> None:
    async with client_of(where) as client:
        made = await client.calendar.make_feed(owner_member_id=await _member(client, member))
    print(made.url if where.url else _local(where, made.url))


async def _remove(where: Where, member: str | None) -> None:
    async with client_of(where) as client:
        await client.calendar.remove_feed(owner_member_id=await _member(client, member))


async def _member(client: TenantryClient, email: str | None) -> UUID | None:
    if email is None:
        return None
    found = next((one.id for one in await client.members.list() if one.email == email.lower()), None)
    if found is None:
        raise NotFound(f"There is no member {email!r} in this tenant.")
    return found


def _local(where: Where, url: str) -> str:
    """The URL where the installation is served for good: the command served it on a port of its own."""
    settings = settings_for(where.home)
    if settings.public_url:
        return url
    return str(URL(url).with_host(settings.http.host).with_port(settings.http.port))
