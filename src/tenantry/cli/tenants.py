"""`tenantry tenant`, `member`, `key`: who uses the installation."""

import re
from typing import Annotated
from zoneinfo import available_timezones

import typer
from rich.console import Console
from rich.table import Column, Table

from tenantry.cli.local import ID_WIDTH, OPERATOR, Home, find_tenant, new_key, open_installation, run, settings_for
from tenantry.domain.access import Scope
from tenantry.domain.errors import InvalidInput, NotFound
from tenantry.domain.ids import new_id, parse_id
from tenantry.domain.tenant import Member, Role
from tenantry.engine.inbound import clean_email
from tenantry.settings import Settings
from tenantry.storage.repositories import api_keys, audit, tenants
from tenantry.storage.tenancy import TenantTx

tenant_app = typer.Typer(help="Client businesses.", no_args_is_help=True)
member_app = typer.Typer(help="People of a tenant.", no_args_is_help=True)
key_app = typer.Typer(help="API keys of a tenant or of one member.", no_args_is_help=True)

TenantOption = Annotated[str, typer.Option("--tenant", help="The tenant's name in URLs and settings.")]


@tenant_app.command("create")
def tenant_create(
    slug: Annotated[str, typer.Argument(help="Lower-case letters, digits and dashes.")],
    name: Annotated[str | None, typer.Option(help="The business's own name.")] = None,
    time_zone: Annotated[str, typer.Option(help="IANA time zone.")] = "UTC",
    home: Home = None,
) -> None:
    """Make a tenant."""
    run(_tenant_create(settings_for(home), slug, name or slug, time_zone))


async def _tenant_create(settings: Settings, slug: str, name: str, time_zone: str) -> None:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", slug):
        raise InvalidInput(f"{slug!r} is not of lower-case letters, digits and dashes.")
    if time_zone not in available_timezones():
        raise InvalidInput(f"{time_zone!r} is no IANA time zone, such as Europe/London.")
    tenant_id = new_id()
    async with open_installation(settings) as installation, installation.db.operator(tenant_id) as tx:
        await tenants.create(tx, slug, name, time_zone, tenant_id)
        await audit.record(tx, actor=OPERATOR, action="tenant.created", target=f"tenant:{tenant_id}")
    print(f"tenant {slug} {tenant_id}")


@tenant_app.command("list")
def tenant_list(home: Home = None) -> None:
    """All tenants."""
    run(_tenant_list(settings_for(home)))


async def _tenant_list(settings: Settings) -> None:
    async with open_installation(settings) as installation, installation.db.operator() as tx:
        for tenant in await tenants.list_all(tx):
            print(f"{tenant.slug}\t{tenant.id}\t{tenant.name}")


@tenant_app.command("models")
def tenant_models(
    slug: str,
    names: Annotated[list[str] | None, typer.Argument(help="All that it may use; none shows what it may use.")] = None,
    home: Home = None,
) -> None:
    """Say which models of the installation a tenant may use, besides the installation's default and its own."""
    run(_tenant_models(settings_for(home), slug, tuple(dict.fromkeys(names or ()))))


async def _tenant_models(settings: Settings, slug: str, names: tuple[str, ...]) -> None:
    wrong = [name for name in names if not re.fullmatch(r"[\x21-\x7e]{1,200}", name)]
    if wrong:
        raise InvalidInput(f"{wrong[0]!r} is no name of a model, such as openai/gpt-5-mini.")
    async with open_installation(settings) as installation:
        tenant = await find_tenant(installation.db, slug)
        if names:
            async with installation.db.operator(tenant.id) as tx:
                await tenants.set_allowed_models(tx, names)
                details = {"allowed_models": names}
                await audit.record(
                    tx, actor=OPERATOR, action="tenant.models", target=f"tenant:{tenant.id}", details=details
                )
    print("\n".join(names or tenant.allowed_models))


@member_app.command("add")
def member_add(
    email: str,
    tenant: TenantOption,
    role: Annotated[Role, typer.Option(help="What they may do.")] = Role.EDITOR,
    name: Annotated[str | None, typer.Option(help="How they are shown.")] = None,
    home: Home = None,
) -> None:
    """Make a person a member of a tenant."""
    run(_member_add(settings_for(home), email, tenant, role, name))


async def _member_add(settings: Settings, email: str, slug: str, role: Role, name: str | None) -> None:
    address = clean_email("email", email)
    if address is None:
        raise InvalidInput("Give the member's e-mail address.")
    async with open_installation(settings) as installation:
        tenant = await find_tenant(installation.db, slug)
        async with installation.db.operator(tenant.id) as tx:
            member_id = await tenants.add_member(tx, address, role, name or address.partition("@")[0])
            await audit.record(tx, actor=OPERATOR, action="member.added", target=f"member:{member_id}")
    print(f"member {member_id} ({role}) of {slug}")


@key_app.command("create")
def key_create(
    tenant: TenantOption,
    member: Annotated[str | None, typer.Option(help="E-mail address of the member whose key it is.")] = None,
    name: Annotated[str, typer.Option(help="What the key is for.")] = "cli",
    scope: Annotated[list[Scope] | None, typer.Option(help="What it may be used for; else everything.")] = None,
    home: Home = None,
) -> None:
    """Make an API key and print it, this once."""
    run(_key_create(settings_for(home), tenant, member, name, frozenset(scope or Scope)))


async def _key_create(settings: Settings, slug: str, email: str | None, name: str, scopes: frozenset[Scope]) -> None:
    async with open_installation(settings) as installation:
        tenant = await find_tenant(installation.db, slug)
        async with installation.db.operator(tenant.id) as tx:
            member = await find_member(tx, email) if email else None
        _, key = await new_key(installation.db, tenant.id, name, member.id if member else None, scopes)
    print(key)


@key_app.command("list")
def key_list(tenant: TenantOption, home: Home = None) -> None:
    """The keys of a tenant that are in use; never the keys themselves."""
    run(_key_list(settings_for(home), tenant))


async def _key_list(settings: Settings, slug: str) -> None:
    table = Table(Column("id", min_width=ID_WIDTH), "name", "member", "scopes", "created")
    async with open_installation(settings) as installation:
        tenant = await find_tenant(installation.db, slug)
        async with installation.db.tenant(tenant.id) as tx:
            emails = {member.id: member.email for member in await tenants.list_members(tx)}
            for key in await api_keys.list_in_use(tx):
                of = emails.get(key.member_id, "removed") if key.member_id else "(tenant)"
                table.add_row(str(key.id), key.name, of, " ".join(key.scopes), f"{key.created_at:%Y-%m-%d %H:%M}")
    Console().print(table)


@key_app.command("revoke")
def key_revoke(key_id: str, tenant: TenantOption, home: Home = None) -> None:
    """End a key at once."""
    run(_key_revoke(settings_for(home), tenant, key_id))


async def _key_revoke(settings: Settings, slug: str, key_id: str) -> None:
    identifier = parse_id(key_id)
    async with open_installation(settings) as installation:
        tenant = await find_tenant(installation.db, slug)
        async with installation.db.operator(tenant.id) as tx:
            if identifier is None or not await api_keys.revoke(tx, identifier):
                raise NotFound(f"{slug} has no key {key_id!r} in use; `tenantry key list --tenant {slug}` shows them.")
            await audit.record(tx, actor=OPERATOR, action="key.revoked", target=f"key:{identifier}")
    print(f"key {key_id} is revoked")


async def find_member(tx: TenantTx, email: str) -> Member:
    """The tenant's member with this address. Raises NotFound."""
    member = await tenants.member_by_email(tx, email)
    if member is None:
        raise NotFound(f"{email} is no member of this tenant; `tenantry member add` makes one.")
    return member
