"""What every column of every table holds, whatever policies hide."""

from pathlib import Path

import asyncpg

from tenantry.credentials.master_key import load_master_key
from tenantry.storage.embedded import running_address

_TABLES = """
    SELECT c.oid::regclass::text AS name FROM pg_class c
    WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace ORDER BY 1
"""


async def superuser(home: Path) -> "asyncpg.Connection[asyncpg.Record]":
    """A connection to the installation's database that no policy binds."""
    address = running_address(home, load_master_key(home, None).password("postgres"))
    assert address is not None
    return await address.connect()


async def tables_with(home: Path, text: str) -> dict[str, int]:
    """How many rows of which tables hold this text in any column, letter case aside; bytes are in hexadecimal."""
    connection = await superuser(home)
    try:
        names = [row["name"] for row in await connection.fetch(_TABLES)]
        counts = (
            f"SELECT '{name}' AS name, count(*) AS held FROM {name} r "
            "WHERE position(lower($1) IN lower(to_jsonb(r)::text)) > 0"
            for name in names
        )
        rows = await connection.fetch(" UNION ALL ".join(counts), text)
        return {row["name"]: row["held"] for row in rows if row["held"]}
    finally:
        await connection.close()
