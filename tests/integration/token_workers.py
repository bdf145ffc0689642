"""Processes that ask for one token: `python -m tests.integration.token_workers JSON`; see `Work`.

They are forked after all is imported, connect to the database, write "ready", and begin when standard input ends. Each
writes one line of JSON: how many got a token, which ones, and every error.
"""

import asyncio
import json
import os
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from uuid import UUID

from tenantry.credentials.connections import ConnectionKey
from tenantry.credentials.key_ring import KeyRingFile
from tenantry.credentials.master_key import load_master_key
from tenantry.credentials.token_refresh import RefreshTimes
from tenantry.credentials.vault import Vault
from tenantry.domain.errors import TenantryError
from tenantry.storage.embedded import running_address
from tenantry.storage.tenancy import Database
from tests.integration.connecting import Signed, in_process
from tests.token_server import TokenServer


@dataclass(frozen=True)
class Work:
    """How many processes, how many that ask in each, and until which version; all else as in a server."""

    processes: int
    turns: int
    until: int
    home: str
    tenant_id: str
    member_id: str
    token_url: str
    deadline_s: float = 10.0
    lease_s: float = 30.0

    def argument(self) -> str:
        return json.dumps(asdict(self))


async def _work(work: Work) -> dict[str, object]:
    master = load_master_key(Path(work.home), None)
    address = running_address(Path(work.home), master.password("postgres"))
    assert address is not None
    ways = [replace(address, user=f"tenantry_{role}", password=master.password(role)) for role in ("app", "operator")]
    db = await Database.connect(*(way.arguments() for way in ways), pool_size=2, acquire_timeout_s=30)
    server = TokenServer()
    server.url = work.token_url
    key = ConnectionKey(UUID(work.tenant_id), UUID(work.member_id), "microsoft")
    vault = Vault(KeyRingFile(Path(work.home) / "vault.keys", master))
    times = RefreshTimes(early_s=0, least_s=0, pause_s=30, lease_s=work.lease_s)
    signed = in_process(db, vault, key, server, times, deadline_s=work.deadline_s)
    os.write(1, b"ready\n")
    await asyncio.to_thread(sys.stdin.read)
    tokens: set[str] = set()
    errors: list[str] = []
    done = await asyncio.gather(*(_turn(signed, work.until, tokens, errors) for _ in range(work.turns)))
    await signed.close()
    await db.close()
    return {"done": sum(done), "tokens": sorted(tokens), "errors": errors}


async def _turn(signed: Signed, until: int, tokens: set[str], errors: list[str]) -> bool:
    while True:
        try:
            access = await signed.credentials.access()
        except TenantryError as error:
            errors.append(f"{error.code}: {error.detail}")
            return False
        tokens.add(access.authorization)
        if access.version >= until:
            return True


def main() -> None:
    work = Work(**json.loads(sys.argv[1]))
    children = []
    for _ in range(work.processes):
        pid = os.fork()
        if not pid:
            os.write(1, json.dumps(asyncio.run(_work(work))).encode() + b"\n")
            os._exit(0)
        children.append(pid)
    for pid in children:
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
