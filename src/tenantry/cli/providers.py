"""`tenantry provider`, `secret`: a tenant's own language models, and what its functions send to services."""

import sys
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from tenantry.cli.local import OPERATOR, Home, find_tenant, open_installation, run, settings_for
from tenantry.cli.tenants import TenantOption
from tenantry.credentials.provider_keys import ProviderKeys
from tenantry.credentials.secret_store import SecretStore
from tenantry.domain.errors import NotFound
from tenantry.domain.provider import AnswerMode, ProviderModel, ProviderSettings, validate_secret
from tenantry.settings import Settings
from tenantry.storage.repositories import audit, providers, secrets, tenants
from tenantry.storage.tenancy import TenantTx

provider_app = typer.Typer(help="A tenant's own providers of language models.", no_args_is_help=True)
secret_app = typer.Typer(help="Sealed secrets of a tenant or of one member.", no_args_is_help=True)

MemberOption = Annotated[str | None, typer.Option("--member", help="E-mail address of the member whose it is.")]
_PAGE = 100


@provider_app.command("add")
def provider_add(
    name: str,
    base_url: Annotated[str, typer.Argument(help="Such as https://api.openai.com/v1.")],
    tenant: TenantOption,
    model: Annotated[list[str] | None, typer.Option(help="A model's name; its provider's own after `=`.")] = None,
    answer_mode: Annotated[str, typer.Option(help="json_schema, tool or prompt.")] = "json_schema",
    home: Home = None,
) -> None:
    """Add a provider. Its key is asked for, or read from standard input; an empty one is none."""
    settings = ProviderSettings(name, base_url, _answer_mode(answer_mode), tuple(map(_model, model or ())))
    run(_provider_add(settings_for(home), tenant, settings, hidden("API key")))


async def _provider_add(settings: Settings, slug: str, provider: ProviderSettings, api_key: str) -> None:
    async with open_installation(settings) as installation:
        tenant = await find_tenant(installation.db, slug)
        async with installation.db.tenant(tenant.id) as tx:
            made = await ProviderKeys(installation.vault).create(tx, provider, api_key)
            await audit.record(tx, actor=OPERATOR, action="provider.created", target=f"provider:{made.id}")
    print(f"provider {provider.name} {made.id} of {slug}")


@provider_app.command("list")
def provider_list(tenant: TenantOption, home: Home = None) -> None:
    """The providers of a tenant; never their keys."""
    run(_provider_list(settings_for(home), tenant))


async def _provider_list(settings: Settings, slug: str) -> None:
    table = Table("name", "base URL", "answer mode", "models", "key")
    async with open_installation(settings) as installation:
        tenant = await find_tenant(installation.db, slug)
        async with installation.db.tenant(tenant.id) as tx:
            found = [each.provider for each in await providers.list_all(tx)]
    for each in found:
        own = each.settings
        key = f"…{each.key_hint}" if each.key_hint else "set" if each.key_set else "none"
        table.add_row(own.name, own.base_url, own.answer_mode, " ".join(m.name for m in own.models), key)
    Console().print(table)


@provider_app.command("remove")
def provider_remove(name: str, tenant: TenantOption, home: Home = None) -> None:
    """Remove a provider and its key."""
    run(_provider_remove(settings_for(home), tenant, name))


async def _provider_remove(settings: Settings, slug: str, name: str) -> None:
    async with open_installation(settings) as installation:
        tenant = await find_tenant(installation.db, slug)
        async with installation.db.tenant(tenant.id) as tx:
            ids = (each.provider.id for each in await providers.list_all(tx) if each.provider.settings.name == name)
            provider_id = next(ids, None)
            if provider_id is None or not await providers.delete(tx, provider_id):
                raise NotFound(f"{slug} has no provider {name!r}; `tenantry provider list --tenant {slug}` shows them.")
            await audit.record(tx, actor=OPERATOR, action="provider.deleted", target=f"provider:{provider_id}")
    print(f"provider {name} is removed")


@secret_app.command("set")
def secret_set(name: str, tenant: TenantOption, member: MemberOption = None, home: Home = None) -> None:
    """Keep a secret. Its value is asked for, or read from standard input."""
    run(_secret_set(settings_for(home), tenant, member, name, hidden(name)))


async def _secret_set(settings: Settings, slug: str, email: str | None, name: str, value: str) -> None:
    validate_secret(name, value)
    async with open_installation(settings) as installation:
        tenant = await find_tenant(installation.db, slug)
        async with installation.db.tenant(tenant.id) as tx:
            secret = await SecretStore(installation.db, installation.vault).put(
                tx, await _owner(tx, email), name, value
            )
            await audit.record(tx, actor=OPERATOR, action="secret.put", target=f"secret:{secret.id}")
    print(f"secret {name} of {email or slug} is set")


@secret_app.command("list")
def secret_list(tenant: TenantOption, home: Home = None) -> None:
    """The names of a tenant's secrets and of its members'; never the values."""
    run(_secret_list(settings_for(home), tenant))


async def _secret_list(settings: Settings, slug: str) -> None:
    table = Table("name", "owner", "set")
    async with open_installation(settings) as installation:
        tenant = await find_tenant(installation.db, slug)
        async with installation.db.tenant(tenant.id) as tx:
            emails = {member.id: member.email for member in await tenants.list_members(tx)}
            before: UUID | None = None
            while page := await secrets.list_page(tx, sees_only=None, before=before, limit=_PAGE):
                for secret in page:
                    owner = secret.owner_member_id
                    of = emails.get(owner, "removed") if owner else "(tenant)"
                    table.add_row(secret.name, of, f"{secret.updated_at:%Y-%m-%d %H:%M}")
                before = page[-1].id
    Console().print(table)


@secret_app.command("remove")
def secret_remove(name: str, tenant: TenantOption, member: MemberOption = None, home: Home = None) -> None:
    """Remove a secret."""
    run(_secret_remove(settings_for(home), tenant, member, name))


async def _secret_remove(settings: Settings, slug: str, email: str | None, name: str) -> None:
    async with open_installation(settings) as installation:
        tenant = await find_tenant(installation.db, slug)
        async with installation.db.tenant(tenant.id) as tx:
            secret_id = await secrets.delete(tx, await _owner(tx, email), name)
            if secret_id is None:
                raise NotFound(f"{email or slug} has no secret {name!r}; `tenantry secret list` shows the names.")
            await audit.record(tx, actor=OPERATOR, action="secret.deleted", target=f"secret:{secret_id}")
    print(f"secret {name} is removed")


async def _owner(tx: TenantTx, email: str | None) -> UUID | None:
    if email is None:
        return None
    member = await tenants.member_by_email(tx, email)
    if member is None:
        raise NotFound(f"{email} is no member of this tenant; `tenantry member add` makes one.")
    return member.id


def hidden(what: str) -> str:
    """What is typed without being shown, or the first line of standard input; never an argument, which others see."""
    if sys.stdin.isatty():
        return typer.prompt(what, hide_input=True, default="", show_default=False)
    return sys.stdin.readline().rstrip("\r\n")


def _model(text: str) -> ProviderModel:
    name, _, model = text.partition("=")
    return ProviderModel(name, model)


def _answer_mode(text: str) -> AnswerMode:
    match text:
        case "json_schema" | "tool" | "prompt":
            return text
        case _:
            raise typer.BadParameter(f"{text!r} is none of json_schema, tool, prompt.")
