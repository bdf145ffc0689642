"""The two servers that are compared, each a process of its own on one database."""

import asyncio
import contextlib
import json
import os
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


@dataclass(frozen=True)
class Installation:
    """Tenantry serving a fresh installation with the demo's agents: the key of an agent's owner, and how the
    application connects to the database."""

    server: Server
    postgres: psutil.Process
    key: str
    agent_id: str
    connection: dict[str, Any]


@contextlib.asynccontextmanager
async def tenantry_server(home: Path, **environment: str) -> AsyncIterator[Installation]:
    """`tenantry up` on a fresh installation, with these variables in its environment."""
    port = free_port()
    no_limits = {f"TENANTRY_LIMIT_{of}": "" for of in ("CONTACT", "MEMBER", "TENANT")}
    env = os.environ | no_limits | {"TENANTRY_HOME": str(home), "TENANTRY_LOG_LEVEL": "warning"} | environment
    async with process(sys.executable, "-m", "tenantry", "up", "--port", str(port), env=env) as up:
        await until_listening(port, up)
        master = load_master_key(home, None)
        async with open_database(home, DatabaseSettings(), master.password) as opened:
            tenant = await find_tenant(opened.db, "peterei")
            async with opened.db.tenant(tenant.id) as tx:
                owner = await tenants.member_by_email(tx, JON)
            _, key = await new_key(opened.db, tenant.id, "bench", owner.id if owner else None)
            running = psutil.Process(up.pid)
            yield Installation(
                server=Server(f"http://127.0.0.1:{port}", running),
                postgres=next(child for child in running.children() if child.name() == "postgres"),
                key=key,
                agent_id=str(agent_id(tenant.id, JON)),
                connection=opened.app.arguments(),
            )


@contextlib.asynccontextmanager
async def servers(home: Path) -> AsyncIterator[Servers]:
    """Both servers on one fresh installation."""
    async with tenantry_server(home) as up:
        port = free_port()
        command = (sys.executable, "-m", "bench.floor", "127.0.0.1", str(port))
        async with process(*command, stdin=json.dumps(up.connection)) as floor:
            await until_listening(port, floor)
            yield Servers(
                tenantry=up.server,
                floor=Server(f"http://127.0.0.1:{port}", psutil.Process(floor.pid)),
                postgres=up.postgres,
                key=up.key,
                agent_id=up.agent_id,
            )


@contextlib.asynccontextmanager
async def process(
    *command: str, env: dict[str, str] | None = None, stdin: str | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process while inside, given `stdin`."""
    running = await asyncio.create_subprocess_exec(
        *command, env=env, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL
    )
    if running.stdin is not None:
        running.stdin.write((stdin or "").encode())
        running.stdin.close()
    try:
        yield running
    finally:
        running.terminate()
        await running.wait()


async def until_listening(port: int, running: asyncio.subprocess.Process) -> None:
    """Wait until the process takes connections. Raises RuntimeError when it ends before."""
    while running.returncode is None:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.05)
    raise RuntimeError(f"the server of port {port} ended with {running.returncode}")


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def new_folder() -> Path:
    """A folder for the data of one run."""
    folder = Path(tempfile.mkdtemp(prefix="tenantry-bench-"))
    # The embedded server runs as another user when this is run as root.
    folder.chmod(0o755)
    return folder


def cpu_seconds(running: psutil.Process) -> float:
    """The CPU time that a process has used."""
    times = running.cpu_times()
    return times.user + times.system
