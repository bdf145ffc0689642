"""Calls in rooms of the real LiveKit server: who gets in, who is asked for, and how they end."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import jwt
import pytest
from livekit import api, rtc

from tenantry.channels.livekit_voice.channel import VoiceChannel
from tenantry.channels.livekit_voice.opening import unguessable
from tenantry.channels.livekit_voice.rooms import AGENT_NAME, Rooms
from tenantry.channels.livekit_voice.watcher import Watcher
from tenantry.client.call_session import WorkerClient
from tenantry.credentials.call_tickets import Ticket
from tenantry.credentials.master_key import load_master_key
from tenantry.domain.call import Call as VoiceCall
from tenantry.domain.call import EndReason
from tenantry.domain.errors import LiveKitUnavailable
from tenantry.server.runtime import Runtime
from tenantry.server.serving import bind, serving
from tenantry.settings import LiveKitSettings, VoiceSettings
from tenantry.storage.repositories import calls
from tests.conftest import TenantForTest, without_jobs
from tests.integration.call_parties import TOKEN, speaking_for, worker
from tests.livekit_server import LiveKitServer, livekit_server, need_server

PATIENCE_S = 20
MANY = 10_000
BY_HTTP = 100


@pytest.fixture(scope="module")
async def livekit(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveKitServer]:
    need_server()
    async with livekit_server(tmp_path_factory.mktemp("livekit")) as server:
        yield server


def settings_of(server: LiveKitServer) -> LiveKitSettings:
    return LiveKitSettings(server.url, "wss://public.example", server.api_key, server.api_secret)


@dataclass
class Exchange:
    """The installation with the LiveKit server."""

    livekit: LiveKitServer
    runtime: Runtime
    url: str
    tenant: TenantForTest
    worker: WorkerClient
    admin: api.LiveKitAPI

    @property
    def rooms(self) -> Rooms:
        assert self.runtime.voice.rooms is not None
        return self.runtime.voice.rooms

    async def open(self, **body: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.tenant.key}"}
        async with (
            aiohttp.ClientSession(self.url, headers=headers) as session,
            session.post(TOKEN, json=body) as response,
        ):
            assert response.status == 200, await response.text()
            return await response.json()

    @asynccontextmanager
    async def caller(self, made: dict[str, Any]) -> AsyncIterator[rtc.Room]:
        room = rtc.Room()
        await room.connect(self.livekit.url, made["participantToken"])
        try:
            yield room
        finally:
            await room.disconnect()

    async def of_call(self, made: dict[str, Any]) -> VoiceCall:
        async with self.runtime.db.tenant(self.tenant.id) as tx:
            found = await calls.get(tx, UUID(made["callId"]), sees_only=None)
        assert found is not None
        return found

    async def change(self, made: dict[str, Any], change: str) -> None:
        async with self.runtime.db.tenant(self.tenant.id) as tx:
            await tx.execute(f"UPDATE calls SET {change} WHERE id = $1", UUID(made["callId"]))

    async def tickets(self, made: dict[str, Any]) -> list[str]:
        """What the jobs carry that were asked for in the call's room."""
        found = await self.admin.agent_dispatch.list_dispatch(made["roomName"])
        assert {dispatch.agent_name for dispatch in found} <= {AGENT_NAME}
        return [dispatch.metadata for dispatch in found]

    async def ended(self, made: dict[str, Any]) -> EndReason | None:
        """Why the call is over, once it is; its room is then gone."""
        await until(lambda: self._is_over(made))
        names = api.ListRoomsRequest(names=[made["roomName"]])

        async def gone() -> bool:
            return not (await self.admin.room.list_rooms(names)).rooms

        await until(gone)
        return (await self.of_call(made)).end_reason

    async def _is_over(self, made: dict[str, Any]) -> bool:
        return (await self.of_call(made)).ended_at is not None


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await holds():
            await asyncio.sleep(0.05)


@pytest.fixture
async def exchange(
    livekit: LiveKitServer, runtime: Runtime, session_home: Path, tenant: TenantForTest
) -> AsyncIterator[Exchange]:
    master = load_master_key(session_home, None)
    own = replace(runtime, voice=VoiceChannel.of(VoiceSettings(settings_of(livekit)), master))
    async with (
        serving(without_jobs(own), bind("127.0.0.1", 0)) as url,
        worker(url, session_home) as client,
        api.LiveKitAPI(livekit.url, livekit.api_key, livekit.api_secret) as admin,
    ):
        yield Exchange(livekit, own, url, tenant, client, admin)
    await own.voice.close()


async def validated(livekit: LiveKitServer, token: str) -> int:
    """What the LiveKit server says of a token."""
    async with (
        aiohttp.ClientSession(livekit.http_url) as session,
        session.get("/rtc/validate", params={"access_token": token}) as response,
    ):
        return response.status


def grants_of(token: str, livekit: LiveKitServer) -> dict[str, Any]:
    return jwt.decode(token, livekit.api_secret, algorithms=["HS256"], issuer=livekit.api_key)


async def test_ten_thousand_tokens_are_of_as_many_rooms(exchange: Exchange, livekit: LiveKitServer) -> None:
    made = [await exchange.open() for _ in range(BY_HTTP)]
    found = [(each["roomName"], each["participantName"], each["participantToken"]) for each in made]
    assert {each["serverUrl"] for each in made} == {"wss://public.example"}
    ticket = exchange.runtime.voice.tickets.seal(Ticket(exchange.tenant.id, exchange.tenant.id, 1))
    for _ in range(MANY - BY_HTTP):
        room, participant = unguessable("call"), unguessable("caller")
        found.append((room, participant, exchange.rooms.token(room, participant, ticket)))
    assert len({room for room, _, _ in found}) == len({who for _, who, _ in found}) == MANY
    for room, participant, token in found:
        claims = grants_of(token, livekit)
        assert claims["sub"] == participant
        assert 120 <= claims["exp"] - claims["nbf"] <= 121
        assert claims["video"] == {
            "roomJoin": True, "room": room, "canPublish": True, "canSubscribe": True, "canPublishData": True,
            "canUpdateOwnMetadata": False,
        }  # fmt: skip
        assert "metadata" not in claims


async def test_a_token_is_good_for_its_room_alone_and_not_for_long(exchange: Exchange, livekit: LiveKitServer) -> None:
    mine, other = await exchange.open(), await exchange.open()
    token = mine["participantToken"]
    claims = grants_of(token, livekit)
    [job] = claims["roomConfig"]["agents"]
    assert exchange.runtime.voice.tickets.open(job["metadata"]).call_id == UUID(mine["callId"])
    told = json.dumps(claims)
    assert mine["callId"] not in told
    assert str(exchange.tenant.id) not in told
    head, body, signature = token.split(".")
    expired = {**claims, "nbf": claims["nbf"] - 400, "exp": claims["exp"] - 400}
    swapped = {**claims, "video": {**claims["video"], "room": other["roomName"]}}
    tokens = {
        "good": token,
        "expired": jwt.encode(expired, livekit.api_secret),
        "another room's name": f"{head}.{jwt.encode(swapped, 's' * 32).split('.')[1]}.{signature}",
        "another secret": jwt.encode(swapped, "s" * 32),
        "altered": f"{head}.{body}.{signature[::-1]}",
        "unsigned": jwt.encode(claims, None, algorithm="none"),
    }
    assert {name: await validated(livekit, each) for name, each in tokens.items()} == {
        name: 200 if name == "good" else 401 for name in tokens
    }
    async with exchange.caller(mine) as room, exchange.caller(other) as elsewhere:
        assert (room.name, elsewhere.name) == (mine["roomName"], other["roomName"])
        assert (room.remote_participants, elsewhere.remote_participants) == ({}, {})
        async with aiohttp.ClientSession(livekit.http_url, headers={"Authorization": f"Bearer {token}"}) as session:
            for service in ("RoomService/ListRooms", "RoomService/CreateRoom", "AgentDispatchService/ListDispatch"):
                wanted = {"room": other["roomName"], "name": "mine"}
                async with session.post(f"/twirp/livekit.{service}", json=wanted) as response:
                    assert response.status in (401, 403), service


async def test_a_caller_without_an_agent_gets_another_one_asked_for(exchange: Exchange) -> None:
    made = await exchange.open()
    async with exchange.caller(made):
        # Nobody took the job that the room asked for.
        async def asked_again() -> bool:
            return len(await exchange.tickets(made)) >= 2

        async with asyncio.timeout(5):
            await until(asked_again)
        numbers = {exchange.runtime.voice.tickets.open(each).dispatch for each in await exchange.tickets(made)}
        assert numbers == {1, 2}
        by_number = {exchange.runtime.voice.tickets.open(t).dispatch: t for t in await exchange.tickets(made)}
        claim = await exchange.worker.claim(by_number[2])
        async with speaking_for(exchange.url, claim) as session:
            await session.beat(caller_there=True, answered=True)
            before = await exchange.of_call(made)
            await exchange.change(made, "dispatched_at = now() - interval '1 minute'")
            # Its process dies; a worker tells.
            await exchange.worker.lost(by_number[2], claim.claim)

            async def another() -> bool:
                return (await exchange.of_call(made)).dispatches > before.dispatches

            async with asyncio.timeout(5):
                await until(another)
        third = await exchange.of_call(made)
        await until(lambda: _has(exchange, made, third.dispatches))
    await exchange.change(made, "caller_seen_at = now() - interval '1 minute', agent_seen_at = NULL")
    assert await exchange.ended(made) is EndReason.CALLER_LEFT


async def _has(exchange: Exchange, made: dict[str, Any], dispatch: int) -> bool:
    return dispatch in {exchange.runtime.voice.tickets.open(each).dispatch for each in await exchange.tickets(made)}


async def test_the_end_of_a_call_ends_its_room(exchange: Exchange) -> None:
    made = await exchange.open()
    ticket = exchange.runtime.voice.tickets.seal(Ticket(exchange.tenant.id, UUID(made["callId"]), 1))
    claim = await exchange.worker.claim(ticket)
    async with exchange.caller(made) as room, speaking_for(exchange.url, claim) as session:
        out = asyncio.Event()
        room.on("disconnected", lambda *_: out.set())
        await session.beat(caller_there=True, answered=True)
        await session.end(EndReason.GOODBYE)
        async with asyncio.timeout(PATIENCE_S):
            await out.wait()
    assert await exchange.ended(made) is EndReason.GOODBYE


async def test_every_call_gets_an_end_and_a_reason(exchange: Exchange) -> None:
    unjoined, alone, hung_up, gone = [await exchange.open() for _ in range(4)]
    async with exchange.caller(alone), exchange.caller(hung_up):
        async with exchange.runtime.db.tenant(exchange.tenant.id) as tx:
            await calls.ask_to_hang_up(tx, UUID(hung_up["callId"]), EndReason.HUNG_UP)
        await exchange.change(unjoined, "created_at = now() - interval '4 minutes'")
        await exchange.change(gone, "caller_seen_at = now() - interval '1 minute'")
        assert await exchange.ended(hung_up) is EndReason.HUNG_UP
        assert await exchange.ended(unjoined) is EndReason.NOT_JOINED
        assert await exchange.ended(gone) is EndReason.CALLER_LEFT
        assert (await exchange.of_call(alone)).ended_at is None


async def test_a_livekit_server_that_is_away_ends_nothing(
    runtime: Runtime, exchange: Exchange, session_home: Path
) -> None:
    made = await exchange.open()
    nowhere = LiveKitSettings("ws://127.0.0.1:9", "ws://127.0.0.1:9", "key", "s" * 32)
    voice = VoiceChannel.of(VoiceSettings(nowhere), load_master_key(session_home, None))
    assert voice.rooms is not None
    assert not await voice.rooms.reachable()
    wrong_secret = Rooms(replace(settings_of(exchange.livekit), api_secret="s" * 32))
    assert not await wrong_secret.reachable()
    assert await exchange.rooms.reachable()
    with pytest.raises(LiveKitUnavailable):
        await voice.rooms.participants(made["roomName"])
    watcher = Watcher(runtime.db, voice)
    await watcher.look()
    await watcher.look()
    assert (await exchange.of_call(made)).ended_at is None
    await asyncio.gather(voice.close(), wrong_secret.close())


async def test_of_many_watchers_one_asks(exchange: Exchange) -> None:
    made = await exchange.open()
    async with exchange.caller(made):
        watchers = [Watcher(exchange.runtime.db, exchange.runtime.voice) for _ in range(4)]
        await exchange.change(made, "dispatched_at = now() - interval '1 minute'")
        before = (await exchange.of_call(made)).dispatches
        await asyncio.gather(*(watcher.look() for watcher in watchers))
        assert (await exchange.of_call(made)).dispatches == before + 1
