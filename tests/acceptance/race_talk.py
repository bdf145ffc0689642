"""What a server says after the race: to contacts, to its model, and to who asks, rightly or wrongly."""

import asyncio
import re
import sys
from dataclasses import dataclass
from uuid import UUID

import aiohttp

from tenantry.auth.api_keys import hash_key, make_key
from tenantry.domain.access import Scope
from tenantry.domain.ids import new_id
from tenantry.storage.repositories import api_keys
from tests.acceptance.race_calendars import ROOT
from tests.acceptance.racing import Race
from tests.held_model import held_model

_READS = ("connections", "audit", "tool-calls", "calendar/events", "turns/{turn}", "turns/{turn}/explain")


@dataclass(frozen=True)
class Talk:
    """Everything that was said."""

    prompts: bytes
    answers: bytes
    export: bytes


async def talk(race: Race) -> Talk:
    """Start a server with a model, which logs beside the others, and say and ask for everything once."""
    async with held_model() as model:
        model.may_answer.set()
        given = {"AGENT_MODEL": "maker/model-1", "AGENT_BASE_URL": model.url, "OPENAI_API_KEY": "sk-not-a-real-key"}
        with (race.procs.folder / "server.log").open("wb") as log:
            server = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tenantry", "up", "--port", "0", "--no-demo"),
                cwd=ROOT,
                env=race.env | given,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
            try:
                assert server.stdout is not None
                first = (await server.stdout.readline()).decode()
                url = re.search(r"answers on (http://\S+)", first)
                assert url is not None, first
                answers, exported = await _asked(race, url[1])
            finally:
                server.kill()
                await server.wait()
        return Talk(str(model.heard).encode(), answers, exported)


async def _asked(race: Race, url: str) -> tuple[bytes, bytes]:
    key = await _key_of(race, None)
    bodies: list[bytes] = []
    async with aiohttp.ClientSession(url, headers={"Authorization": f"Bearer {key}"}) as session:
        for agent in race.agents:
            said = {"message": "When is my appointment?", "agentId": agent, "leadId": str(new_id())}
            async with session.post("/api/agent/reply", json=said) as answer:
                assert answer.status == 200, await answer.text()
                turn = (await answer.json())["turnId"]
                bodies.append(await answer.read())
            for path in _READS:
                async with session.get(f"/api/v1/{path.format(turn=turn)}") as answer:
                    bodies.append(await answer.read())
        for path in ("/oauth/callback?state=wrong&code=wrong", "/calendar/feeds/wrong.ics"):
            async with session.get(path) as answer:
                assert answer.status >= 400
                bodies.append(await answer.read())
        wrong = {"url": race.calendars.caldav.server.url, "username": "carla", "password": "wrong-password"}
        async with session.put("/api/v1/connections/caldav", json=wrong) as answer:
            assert answer.status >= 400
            bodies.append(await answer.read())
        async with session.get("/api/v1/export") as answer:
            assert answer.status == 200
            exported = await answer.read()
    return b"\n".join(bodies), exported


async def _key_of(race: Race, member_id: UUID | None) -> str:
    key = make_key(race.tenant_id)
    async with race.runtime.db.operator(race.tenant_id) as tx:
        await api_keys.create(tx, key_hash=hash_key(key), name="test", member_id=member_id, scopes=frozenset(Scope))
    return key
