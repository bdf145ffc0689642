"""The real LiveKit server as a process of its own, on loopback only; `make` builds it."""

import asyncio
import json
import os
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from livekit import api, rtc

VERSION = "v1.13.5"
BINARY = Path(__file__).parent.parent / "build" / "livekit" / VERSION / "server"
START_S = 15.0


def need_server() -> None:
    """Skip where the server is not built; where CI is true that is a failure.

    Raises: pytest's Skipped or Failed.
    """
    if BINARY.exists():
        return
    reason = f"LiveKit server {VERSION} is not built: `make livekit` builds it and needs Go"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@dataclass(frozen=True)
class LiveKitServer:
    """A running server: its WebSocket address, its HTTP address, one key with its secret, and its process."""

    url: str
    http_url: str
    api_key: str
    api_secret: str
    pid: int

    def token(
        self, identity: str, room: str, *, agent: bool = False, secret: str | None = None, lives_s: float = 60.0
    ) -> str:
        """Lets this participant into this room, for as long from now; with another secret it should not."""
        grants = api.VideoGrants(room_join=True, room=room, can_update_own_metadata=True, agent=agent)
        made = api.AccessToken(self.api_key, secret or self.api_secret).with_identity(identity).with_grants(grants)
        return made.with_kind("agent" if agent else "standard").with_ttl(timedelta(seconds=lives_s)).to_jwt()

    @asynccontextmanager
    async def joined(self, identity: str, room: str, *, agent: bool = False) -> AsyncIterator[rtc.Room]:
        """The room, with this participant in it until the end of the block."""
        entered = rtc.Room()
        await entered.connect(self.url, self.token(identity, room, agent=agent))
        try:
            yield entered
        finally:
            await entered.disconnect()


@asynccontextmanager
async def livekit_server(folder: Path) -> AsyncIterator[LiveKitServer]:
    """A server that keeps its configuration and log in `folder`, with ports and a secret that no other has.

    Raises:
        TimeoutError: it does not answer within 15 s; the message has the end of its log.
    """
    signal, media = _free_port(socket.SOCK_STREAM), _free_port(socket.SOCK_DGRAM)
    key, secret = "tenantry-tests", secrets.token_hex(32)
    settings = {
        "port": signal,
        "bind_addresses": ["127.0.0.1"],
        "keys": {key: secret},
        "logging": {"level": "info"},
        "rtc": {
            # Without TCP: its port would be open on every interface.
            "tcp_port": 0,
            "udp_port": media,
            "node_ip": "127.0.0.1",
            "use_external_ip": False,
            "enable_loopback_candidate": True,
            "interfaces": {"includes": ["lo"]},
        },
    }
    # JSON is YAML.
    (folder / "livekit.yaml").write_text(json.dumps(settings))
    log = folder / "livekit.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            BINARY, "--config", folder / "livekit.yaml", stdout=output, stderr=asyncio.subprocess.STDOUT
        )
    try:
        http_url = f"http://127.0.0.1:{signal}"
        await _answers(http_url, process, log)
        yield LiveKitServer(f"ws://127.0.0.1:{signal}", http_url, key, secret, process.pid)
    finally:
        if process.returncode is None:
            # It waits for rooms to empty when it is asked to end; nobody is to be waited for here.
            process.kill()
        await process.wait()


async def _answers(url: str, process: asyncio.subprocess.Process, log: Path) -> None:
    try:
        async with asyncio.timeout(START_S), aiohttp.ClientSession() as session:
            while process.returncode is None:
                try:
                    async with session.get(url) as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientConnectionError:
                    await asyncio.sleep(0.02)
    except TimeoutError:
        pass
    raise TimeoutError(f"the LiveKit server does not answer: {_end_of(log)}")


def _end_of(log: Path) -> str:
    return log.read_text()[-2000:]


def _free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
