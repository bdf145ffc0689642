"""Calls of pages without LiveKit: real speech over real sockets, through a real process for each call."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import aiohttp
import psutil
import pytest

from tenantry.auth.site_keys import make_site_key
from tenantry.channels.livekit_voice.browser.calls import BrowserCalls
from tenantry.channels.livekit_voice.speech.client import SpeechClient
from tenantry.channels.livekit_voice.speech.launching import speech_server
from tenantry.credentials.call_tickets import SocketTokens
from tenantry.credentials.master_key import MasterKey, load_master_key
from tenantry.domain.call import Call as CallRow
from tenantry.domain.call import EndReason, Utterance
from tenantry.server.runtime import Runtime
from tenantry.server.serving import bind, serving
from tenantry.storage.repositories import calls, sites
from tests.conftest import TenantForTest, without_jobs
from tests.integration.call_parties import TOKEN, opened
from tests.integration.conftest import Call
from tests.integration.test_reply_api import make_agent
from tests.page_caller import PageCaller, page_call
from tests.speech import at_16_khz, spoken

pytestmark = pytest.mark.realtime

CANARY = "TENANTRY_TEST_SECRET"
NAME_AND_CITY = [
    {"name": "first_name", "type": "name", "question": "What is your first name?"},
    {"name": "city", "type": "text", "question": "In which city do you live?"},
]
LONG = (
    "Good morning, this is the town library. We are open from Monday to Saturday, and on Sundays we read to children. "
    "You can borrow books, films and games, and you can meet other readers in our garden every afternoon."
)
PATIENCE_S = 30.0  # eight share the machine's two cores; alone nothing takes three seconds


@pytest.fixture(scope="module")
async def speech(session_home: Path, runtime: Runtime) -> AsyncIterator[SpeechClient]:
    """The machine's speech server, and what its callers speak and hear with. At the end no call process is left."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv(CANARY, "not for call processes")
        async with speech_server(session_home) as path:
            yield SpeechClient(path)
            processes = host_processes()
            await runtime.browser_calls.close()
            assert not psutil.wait_procs(processes, timeout=10)[1]


def host_processes() -> list[psutil.Process]:
    """The call host of this process, and all processes below it."""
    hosts = [p for p in psutil.Process().children() if "tenantry.channels.livekit_voice.browser.host" in p.cmdline()]
    return [found for host in hosts for found in (host, *host.children(recursive=True))]


def call_processes() -> list[psutil.Process]:
    """Those that are in a call or wait for one: all that was forked."""
    found = host_processes()
    return [process for process in found if process.parent() in found and process.cmdline() == parent_line(process)]


def parent_line(process: psutil.Process) -> list[str]:
    parent = process.parent()
    return parent.cmdline() if parent else []


@dataclass
class Line:
    """How tests call."""

    call: Call
    tenant: TenantForTest
    speech: SpeechClient
    runtime: Runtime

    async def open(self, **definition: Any) -> dict[str, Any]:
        """A call to a fresh agent."""
        return await opened(
            self.call, self.tenant.key, agentId=await make_agent(self.call, self.tenant.key, **definition)
        )

    async def row(self, made: dict[str, Any]) -> CallRow:
        async with self.runtime.db.tenant(self.tenant.id) as tx:
            row = await calls.get(tx, UUID(made["callId"]), sees_only=None)
        assert row is not None
        return row

    async def said(self, made: dict[str, Any]) -> Sequence[Utterance]:
        """All that the agent said in the call."""
        async with self.runtime.db.tenant(self.tenant.id) as tx:
            return await calls.utterances(tx, UUID(made["callId"]))

    async def say(self, page: PageCaller, text: str) -> str:
        """Say it, and wait for what the agent says then."""
        before = len(page.finals("agent"))
        page.said += await spoken(self.speech, text)
        return await agent_said(page, before + 1, PATIENCE_S)

    async def heard(self, page: PageCaller) -> str:
        """What the caller heard, recognised again."""
        around = bytes(16_000)  # half a second
        return await self.speech.transcribe(around + at_16_khz(bytes(page.audio)) + around)

    async def hang_up(self, page: PageCaller) -> str:
        """Hang up; the reason that the page is told."""
        await page.tell({"type": "hangup"})
        return (await page.until(lambda: page.told("ended"), PATIENCE_S))[0]["reason"]


@pytest.fixture
def line(call: Call, tenant: TenantForTest, speech: SpeechClient, runtime: Runtime) -> Line:
    return Line(call, tenant, speech, runtime)


@pytest.fixture
def master(session_home: Path, runtime: Runtime) -> MasterKey:
    return load_master_key(session_home, None)


def page_of(made: dict[str, Any], **headers: str) -> AbstractAsyncContextManager[PageCaller]:
    return page_call(made["serverUrl"], f"bearer.{made['participantToken']}", **headers)


async def agent_said(page: PageCaller, number: int, within_s: float) -> str:
    """The utterance of that number, once the caller has heard all of it."""
    await page.until(
        lambda: len(page.finals("agent")) >= number and page.told("state")[-1]["state"] == "listening", within_s
    )
    return page.finals("agent")[number - 1]


async def greeted(page: PageCaller) -> str:
    """What the agent says first, which may take the host's start."""
    return await agent_said(page, 1, 4 * PATIENCE_S)


async def test_two_at_once_are_heard_and_answered_each_alone(line: Line) -> None:
    async def talk(greeting: str, name: str, question: str) -> tuple[PageCaller, dict[str, Any]]:
        made = await line.open(greeting=greeting, variables=NAME_AND_CITY)
        async with page_of(made) as page:
            assert await greeted(page) == greeting
            assert greeting.split()[-1].strip(".") in await line.heard(page)
            assert question in await line.say(page, f"My name is {name}.")
            assert (await page.until(lambda: page.told("summary"), PATIENCE_S))[-1]["variables"] == {"first_name": name}
            assert await line.hang_up(page) == "caller_left"
        return page, made

    (anna, one), (peter, two) = await asyncio.gather(
        talk("Welcome to the flower shop.", "Anna", "city"), talk("This is the garage at the station.", "Peter", "city")
    )
    words = [" ".join(page.finals("caller")) for page in (anna, peter)]
    assert ("Anna" in words[0], "Peter" in words[0]) == (True, False)
    assert ("Anna" in words[1], "Peter" in words[1]) == (False, True)
    assert {message["state"] for message in anna.told("state")} == {"listening", "thinking", "speaking"}
    for made in (one, two):
        row = await line.row(made)
        assert (row.transport, row.end_reason, row.local) == ("websocket", EndReason.CALLER_LEFT, True)
        assert [(said.heard, said.interrupted) for said in await line.said(made)] == [
            (said.said, False) for said in await line.said(made)
        ]


async def test_who_interrupts_has_not_heard_the_rest(line: Line) -> None:
    made = await line.open(greeting=LONG)
    async with page_of(made) as page:
        await page.until(lambda: len(page.audio) > 3 * 48_000, 60)
        page.said += await spoken(line.speech, "Stop, please, I only have one short question for you.")
        await page.until(lambda: page.told("clear"), PATIENCE_S)
        await page.until(lambda: page.finals("caller"), PATIENCE_S)
        await line.hang_up(page)
    first = (await line.said(made))[0]
    assert (first.said, first.interrupted) == (LONG, True)
    assert LONG.startswith(first.heard.rstrip(" .,"))
    assert 5 < len(first.heard) < len(LONG) * 0.8


async def test_a_call_process_that_is_killed_is_replaced_and_nothing_is_forgotten(line: Line) -> None:
    made = await line.open(greeting="Hello.", variables=NAME_AND_CITY)
    async with page_of(made) as page:
        await greeted(page)
        assert "city" in await line.say(page, "My name is Maria.")
        processes = call_processes()
        assert processes
        for process in host_processes():
            assert CANARY not in process.environ()
        for process in processes:
            process.kill()
        await page.until(lambda: "cut off" in " ".join(page.finals("agent")), 8)
        await line.say(page, "London.")
        await page.until(lambda: len(page.told("summary")) > 1, PATIENCE_S)
        assert page.told("summary")[-1]["variables"] == {"first_name": "Maria", "city": "London."}
        assert (await line.row(made)).claims == 2
        assert await line.hang_up(page) == "caller_left"


async def test_a_page_that_lost_its_connection_comes_back(line: Line) -> None:
    greeting = "Good morning, this is the town library. You can borrow books, films and games on Saturday."
    made = await line.open(greeting=greeting)
    async with page_of(made) as page:
        ready = (await page.until(lambda: page.told("ready"), PATIENCE_S))[0]
        await page.until(lambda: len(page.audio) > 48_000, 60)
    assert ready["callId"] == made["callId"]
    async with page_call(made["serverUrl"], f"resume.{ready['resumeToken']}") as page:
        # The agent waited, and goes on where it was.
        assert await greeted(page) == greeting
        assert "Saturday" in await line.heard(page)
        assert "morning" not in await line.heard(page)
        assert await line.hang_up(page) == "caller_left"
    assert (await line.row(made)).claims == 1
    async with page_call(made["serverUrl"], f"resume.{ready['resumeToken']}") as page:
        assert await refusal(page) == ("call_ended", 4401)


async def refusal(page: PageCaller) -> tuple[str, int | None]:
    """Why the page may not speak, and how its socket was closed."""
    await page.until(lambda: page.socket.closed, PATIENCE_S)
    return page.told("error")[0]["code"], page.socket.close_code


async def test_a_newer_page_takes_the_call(line: Line) -> None:
    made = await line.open(greeting="Hello.")
    async with page_of(made) as first:
        await first.until(lambda: first.told("ready"), PATIENCE_S)
        async with page_of(made) as second:
            assert await refusal(first) == ("superseded", 4409)
            await second.until(lambda: second.told("ready"), PATIENCE_S)
            await line.hang_up(second)


async def test_who_may_not_speak_is_told_why(line: Line, runtime: Runtime, master: MasterKey) -> None:
    made = await line.open(greeting="Hello.")
    expired = SocketTokens(master, lambda: time.time() - 200).seal(line.tenant.id, UUID(made["callId"]))
    for token in ("", "nonsense", made["participantToken"][:-2] + "AA", expired):
        async with page_of({**made, "participantToken": token}) as page:
            assert await refusal(page) == ("unauthenticated", 4401)
    async with runtime.db.tenant(line.tenant.id) as tx:
        await calls.end(tx, UUID(made["callId"]), EndReason.HUNG_UP)
    async with page_of(made) as page:
        assert await refusal(page) == ("call_ended", 4401)


async def test_a_call_from_a_site_is_for_pages_of_that_site(line: Line, runtime: Runtime, url: str) -> None:
    key = make_site_key(line.tenant.id)
    agent_id = await make_agent(line.call, line.tenant.key)
    async with runtime.db.tenant(line.tenant.id) as tx:
        await sites.create(tx, "shop", key, ["https://shop.example"], [UUID(agent_id)])
    headers = {"X-Tenantry-Site": key, "Origin": "https://shop.example"}
    asked = {"url": f"{url}{TOKEN}", "json": {"agentId": agent_id}, "headers": headers}
    async with aiohttp.ClientSession() as session, session.post(**asked) as response:
        made = await response.json()
        assert response.status == 200, made
    async with page_of(made, Origin="https://evil.example") as page:
        assert await refusal(page) == ("origin_refused", 4401)
    async with page_of(made, Origin="https://shop.example") as page:
        await page.until(lambda: page.told("ready"), PATIENCE_S)
        await line.hang_up(page)


async def test_a_page_that_sends_too_much_is_cut_off(line: Line) -> None:
    made = await line.open(greeting="Hello.")
    async with page_of(made) as page:
        await page.until(lambda: page.told("ready"), PATIENCE_S)
        await page.socket.send_bytes(b"x" * 8193)
        assert await refusal(page) == ("frame_too_large", 1008)
    async with page_of(made) as page:
        await page.until(lambda: page.told("ready"), PATIENCE_S)
        for _ in range(1000):
            await page.socket.send_bytes(b"xx")
        assert await refusal(page) == ("too_many_frames", 1008)


async def test_with_all_lines_busy_a_page_is_told_to_try_again(line: Line, runtime: Runtime, home: Path) -> None:
    own = replace(without_jobs(runtime), browser_calls=BrowserCalls(runtime.resources, home, 0))
    made = await line.open(greeting="Hello.")
    async with serving(own, bind("127.0.0.1", 0)) as url:
        elsewhere = {**made, "serverUrl": made["serverUrl"].replace(urlsplit(made["serverUrl"]).netloc, url[7:])}
        async with page_of(elsewhere) as page:
            assert await refusal(page) == ("busy", 1013)
            assert page.told("error")[0]["retryable"]


async def test_a_host_that_dies_is_started_again(line: Line) -> None:
    made = await line.open(greeting="Hello.", variables=NAME_AND_CITY)
    async with page_of(made) as page:
        await greeted(page)
        host_processes()[0].kill()
        assert "city" in await line.say(page, "My name is Maria.")
        other = await line.open(greeting="Good evening.")
        async with page_of(other) as another:
            assert await greeted(another) == "Good evening."
            await line.hang_up(another)
        await line.hang_up(page)
