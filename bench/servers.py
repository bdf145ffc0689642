"""The two servers that are compared, each a process of its own on one database."""

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import psutil

from tenantry.cli.demo.seed import JON, agent_id
from tenantry.cli.local import find_tenant, new_key
from tenantry.credentials.master_key import load_master_key
from tenantry.settings import DatabaseSettings
from tenantry.storage.opening import open_database
from tenantry.storage.repositories import tenants


@dataclass(frozen=True)
class Server:
    """A server under test: where it answers, and its process."""

    url: str
    process: psutil.Process


@dataclass(frozen=True)
class Servers:
    """Both servers, the key of the agent's owner, and the PostgreSQL that both use."""

    tenantry: Server
    floor: Server
    postgres: psutil.Process
    key: str
    agent_id: str


@contextlib.asynccontextmanager
async def servers(home: Path) -> AsyncIterator[Servers]:
    """Both servers on a fresh installation, with the demo's agents."""
    port = _free_port()
    no_limits = {f"TENANTRY_LIMIT_{of}": "" for of in ("CONTACT", "MEMBER", "TENANT")}
    env = os.environ | no_limits | {"TENANTRY_HOME": str(home), "TENANTRY_LOG_LEVEL": "warning"}
    async with _process(sys.executable, "-m", "tenantry", "up", "--port", str(port), env=env) as up:
        url = f"http://127.0.0.1:{port}"
        await _until_ready(url, up)
        master = load_master_key(home, None)
        async with open_database(home, DatabaseSettings(), master.password) as opened:
            tenant = await find_tenant(opened.db, "peterei")
            async with opened.db.tenant(tenant.id) as tx:
                owner = await tenants.member_by_email(tx, JON)
            _, key = await new_key(opened.db, tenant.id, "bench", owner.id if owner else None)
            floor_port = _free_port()
            command = (sys.executable, "-m", "bench.floor", "127.0.0.1", str(floor_port))
            async with _process(*command, stdin=json.dumps(opened.app.arguments())) as floor:
                await _until_ready(f"http://127.0.0.1:{floor_port}", floor)
                tenantry = psutil.Process(up.pid)
                yield Servers(
                    tenantry=Server(url, tenantry),
                    floor=Server(f"http://127.0.0.1:{floor_port}", psutil.Process(floor.pid)),
                    postgres=next(child for child in tenantry.children() if child.name() == "postgres"),
                    key=key,
                    agent_id=str(agent_id(tenant.id, JON)),
                )


@contextlib.asynccontextmanager
async def _process(
    *command: str, env: dict[str, str] | None = None, stdin: str | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *command, env=env, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL
    )
    if process.stdin is not None:
        process.stdin.write((stdin or "").encode())
        process.stdin.close()
    try:
        yield process
    finally:
        process.terminate()
        await process.wait()


async def _until_ready(url: str, process: asyncio.subprocess.Process) -> None:
    async with aiohttp.ClientSession() as session:
        while process.returncode is None:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(f"{url}/readyz"):
                    return
            await asyncio.sleep(0.05)
    raise RuntimeError(f"the server of {url} ended with {process.returncode}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]
