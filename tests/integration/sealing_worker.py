"""A process that keeps and reads sealed values without a pause; its arguments are a home and a tenant's id.

It writes "ready", works until standard input ends, and writes how often it did so and every error.
"""

import asyncio
import json
import sys
from pathlib import Path
from uuid import UUID

from tenantry.credentials.connections import ConnectionKeeper, ConnectionKey, OAuthSecret
from tenantry.credentials.key_ring import load_key_ring
from tenantry.credentials.master_key import load_master_key
from tenantry.credentials.secret_store import SecretStore
from tenantry.credentials.vault import Vault
from tenantry.settings import Settings
from tenantry.storage.opening import open_database
from tests.integration.connecting import in_process
from tests.token_server import TokenServer


async def main() -> None:
    settings, tenant_id = Settings(home=Path(sys.argv[1])), UUID(sys.argv[2])
    master = load_master_key(settings.home, None)
    vault = Vault(load_key_ring(settings, master))
    async with open_database(settings.home, settings.database, master.password) as opened:
        store, keeper = SecretStore(opened.db, vault), ConnectionKeeper(vault)
        key = ConnectionKey(tenant_id, None, "google")
        signed = in_process(opened.db, vault, key, TokenServer())
        stopping = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
        errors: list[str] = []
        rounds = 0
        print("ready", flush=True)
        while not stopping.done():
            value = f"value-{rounds}"
            try:
                async with opened.db.tenant(tenant_id) as tx:
                    await store.put(tx, None, "busy", value)
                    await keeper.keep(tx, key, OAuthSecret(value, value), account="")
                got = await store.of(tenant_id, None).reveal("busy"), (await signed.credentials.access()).authorization
                if got != (value, f"Bearer {value}"):
                    errors.append(f"{value} came back as {got}")
                still = await store.of(tenant_id, None).reveal("still")
                if still != "as it was":
                    errors.append(f"what was still came back as {still}")
            # Whatever it is, the test must hear of it.
            except Exception as error:
                errors.append(repr(error))
            rounds += 1
        await signed.close()
    print(json.dumps({"rounds": rounds, "errors": errors[:10]}))


if __name__ == "__main__":
    asyncio.run(main())
