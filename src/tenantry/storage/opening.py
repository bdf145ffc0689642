"""From settings to an open database: server, roles, schema, pools."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tenantry.domain.errors import HomeInUse
from tenantry.settings import DatabaseSettings
from tenantry.storage.address import ServerAddress, parse_url
from tenantry.storage.embedded import EmbeddedServer, running_address
from tenantry.storage.migrate import migrate
from tenantry.storage.roles import RolePasswords, ensure_roles
from tenantry.storage.tenancy import Database


@dataclass(frozen=True, slots=True)
class OpenDatabase:
    """A database that is ready for use. `app` is the way in of the application's role; `sole` says that no other
    process can be working on it."""

    db: Database
    app: ServerAddress
    sole: bool


@asynccontextmanager
async def open_database(
    home: Path, settings: DatabaseSettings, password_of: Callable[[str], str]
) -> AsyncGenerator[OpenDatabase]:
    """The database of an installation: that of `settings.url`, else the embedded one of the home, started here or found
    running under another process. `password_of` gives the password of a database role.

    Raises ConfigurationError and DatabaseUnavailable.
    """
    async with _server(home, settings, password_of) as (admin, sole):
        passwords = RolePasswords(owner=password_of("owner"), app=password_of("app"), operator=password_of("operator"))
        await ensure_roles(admin, passwords)
        await migrate(replace(admin, user="tenantry_owner", password=passwords.owner))
        app = replace(admin, user="tenantry_app", password=passwords.app)
        operator = replace(admin, user="tenantry_operator", password=passwords.operator)
        db = await Database.connect(
            app.arguments(),
            operator.arguments(),
            pool_size=settings.pool_size,
            acquire_timeout_s=settings.acquire_timeout_s,
        )
        try:
            yield OpenDatabase(db, app, sole)
        finally:
            await db.close()


@asynccontextmanager
async def _server(
    home: Path, settings: DatabaseSettings, password_of: Callable[[str], str]
) -> AsyncGenerator[tuple[ServerAddress, bool]]:
    if settings.url is not None:
        yield parse_url(settings.url), False
        return
    password = password_of("postgres")
    server = EmbeddedServer(home, password)
    try:
        address = await server.start()
    except HomeInUse:
        # A command beside a running server works on that server's database.
        running = running_address(home, password)
        if running is None:
            raise
        yield running, False
        return
    try:
        yield address, True
    finally:
        await server.stop()
