"""What commands share: the installation they work on, and how they end."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
import uvloop

from tenantry.auth.api_keys import hash_key, make_key
from tenantry.client.errors import ApiError
from tenantry.credentials.key_ring import KeyRing, load_key_ring
from tenantry.credentials.master_key import load_master_key
from tenantry.credentials.vault import Vault
from tenantry.domain.access import Scope
from tenantry.domain.errors import NotFound, TenantryError
from tenantry.domain.tenant import Tenant
from tenantry.logs import configure_logs
from tenantry.settings import Settings, load_settings
from tenantry.storage.opening import open_database
from tenantry.storage.repositories import api_keys, audit, tenants
from tenantry.storage.tenancy import Database

if TYPE_CHECKING:
    from tenantry.server.runtime import Runtime

OPERATOR = "operator:cli"
# The least width of a column of ids: one that is cut off names nothing.
ID_WIDTH = 36
Home = Annotated[Path | None, typer.Option(help="Folder of the installation; else TENANTRY_HOME.", show_default=False)]


def settings_for(home: Path | None) -> Settings:
    """The settings of the environment, with the folder of the flag."""
    settings = load_settings()
    return replace(settings, home=home.absolute()) if home else settings


def run(command: Coroutine[Any, Any, int | None]) -> None:
    """Run a command to its end; an error of ours is one clear line and exit code 1."""
    try:
        # The loop that uvicorn would choose if it made it.
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            code = runner.run(command)
    except (TenantryError, ApiError) as error:
        lines = [error.detail, *(f"  {fault.field}: {fault.message}" for fault in error.errors)]
        print("\n".join(lines), file=sys.stderr)
        raise typer.Exit(1) from error
    except KeyboardInterrupt as error:
        raise typer.Exit(130) from error
    raise typer.Exit(code or 0)


@dataclass(frozen=True, slots=True)
class Installation:
    """What an operator's command works on: the database, the vault of what is sealed in it, and the vault's keys."""

    db: Database
    vault: Vault
    keys: KeyRing


@asynccontextmanager
async def open_installation(settings: Settings) -> AsyncGenerator[Installation]:
    """Open the installation without what serves. Raises ConfigurationError and DatabaseUnavailable."""
    master = load_master_key(settings.home, settings.master_key)
    keys = load_key_ring(settings, master)
    async with open_database(settings.home, settings.database, master.password) as opened:
        yield Installation(opened.db, Vault(keys), keys)


async def find_tenant(db: Database, slug: str) -> Tenant:
    """The tenant of that slug. Raises NotFound."""
    async with db.operator() as tx:
        tenant = await tenants.find(tx, slug)
    if tenant is None:
        raise NotFound(f"There is no tenant {slug!r}; `tenantry tenant create {slug}` makes it.")
    return tenant


async def new_key(
    db: Database, tenant_id: UUID, name: str, member_id: UUID | None, scopes: frozenset[Scope] = frozenset(Scope)
) -> tuple[UUID, str]:
    """A fresh API key: its id, and the key itself, which is not kept."""
    key = make_key(tenant_id)
    async with db.operator(tenant_id) as tx:
        key_id = await api_keys.create(tx, key_hash=hash_key(key), name=name, member_id=member_id, scopes=scopes)
        await audit.record(tx, actor=OPERATOR, action="key.created", target=f"key:{key_id}")
    return key_id, key


@asynccontextmanager
async def passing_key(db: Database, tenant_id: UUID, member_id: UUID | None = None) -> AsyncGenerator[str]:
    """A key for as long as one command runs; revoked at its end."""
    key_id, key = await new_key(db, tenant_id, "for one command", member_id)
    try:
        yield key
    finally:
        async with db.operator(tenant_id) as tx:
            await api_keys.revoke(tx, key_id)
            await audit.record(tx, actor=OPERATOR, action="key.revoked", target=f"key:{key_id}")


@asynccontextmanager
async def local_server(settings: Settings) -> AsyncGenerator[tuple["Runtime", str]]:
    """The installation, served on a loopback port of its own for as long as one command runs."""
    # Imported here since it takes a second, which the commands that do not serve need not wait.
    from tenantry.server.runtime import open_runtime
    from tenantry.server.serving import bind, serving

    configure_logs("warning" if settings.log_level == "info" else settings.log_level)
    async with open_runtime(settings) as runtime, serving(runtime, bind("127.0.0.1", 0)) as url:
        yield runtime, url
