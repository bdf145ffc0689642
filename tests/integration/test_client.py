"""The client on a real server: streams that are taken up again, errors, and what is sent twice."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from textwrap import indent
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tenantry.client import ApiError, ServerUnreachable, TenantryClient
from tenantry.client import conversations as client_conversations
from tenantry.client import transport as client_transport
from tenantry.client.sse import EventParser
from tenantry.domain.agent import AgentDefinition, Variable, VariableType
from tests.conftest import TenantForTest

GUIDE = Path(__file__).parents[2] / "docs/how-to/client.md"
SELLER = AgentDefinition(
    name="Seller", variables=(Variable("email", VariableType.EMAIL, "Which e-mail address may we write to?"),)
)


@pytest.fixture
async def client(url: str, tenant: TenantForTest) -> AsyncIterator[TenantryClient]:
    async with TenantryClient.open(url, tenant.key) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_transport, "_WAITS", (0.0, 0.0))
    monkeypatch.setattr(client_conversations, "_WAITS", (0.0, 0.0, 0.0))


async def test_a_reply_grows_and_ends_with_the_whole_of_it(client: TenantryClient) -> None:
    agent = await client.agents.create(SELLER, publish=True)
    events = [event async for event in client.replies.stream("Hello", agent_id=agent.id, lead_id="ada")]
    assert (events[0].type, events[-1].type) == ("accepted", "done")
    reply = events[-1].reply
    assert reply is not None
    assert "".join(event.text for event in events) == reply.reply
    assert reply.missing == ("email",)
    again = await client.replies.send(
        "ada@example.org", lead_id="ada", agent_id=agent.id, conversation_id=reply.conversation_id
    )
    assert again.variables == {"email": "ada@example.org"}
    conversation = await client.conversations.get(reply.conversation_id)
    assert conversation.variables["email"].value == "ada@example.org"
    explained = await client.turns.explain(reply.turn_id)
    assert explained.trace.models[0].model == reply.model
    assert [each.id async for each in client.conversations.list(agent_id=agent.id)] == [conversation.id]
    assert (await client.usage.report("agent")).total.turns == 2


async def test_a_problem_is_raised_with_all_its_parts(client: TenantryClient) -> None:
    with pytest.raises(ApiError) as raised:
        await client.agents.create(AgentDefinition(name="x", time_zone="Mars"))
    error = raised.value
    assert (error.status, error.code, error.retryable) == (422, "invalid_input", False)
    assert [fault.field for fault in error.errors] == ["time_zone"]
    with pytest.raises(ApiError) as raised:
        _ = [event async for event in client.replies.stream("Hello", model="nobody/knows")]
    assert raised.value.code == "model_not_allowed"


async def test_someone_elses_change_is_told_with_the_differences(client: TenantryClient) -> None:
    agent = await client.agents.create(SELLER)
    await client.agents.change(agent.id, AgentDefinition(name="Theirs"), agent.revision)
    with pytest.raises(ApiError) as raised:
        await client.agents.change(agent.id, AgentDefinition(name="Mine"), agent.revision)
    assert raised.value.code == "conflict"
    assert [each["text"] for each in raised.value.body["differences"]] == ['~ name: "Theirs" → "Mine"']


async def test_lists_are_read_to_their_end(client: TenantryClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_transport, "_PAGE", 2)
    made = [(await client.agents.create(AgentDefinition(name=f"a{n}"))).id for n in range(5)]
    assert [agent.id async for agent in client.agents.list()] == made[::-1]


class FaultyWay:
    """A way to the server on which answers break off: `breaks` are after how many bytes each does."""

    def __init__(self, url: str) -> None:
        self.to = url
        self.url = ""
        self.breaks: list[int] = []
        self.asked: list[str] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Pass the request on, and the answer back as far as it comes."""
        self.asked.append(request.path_qs)
        left = self.breaks.pop(0) if self.breaks else None
        headers = {name: request.headers[name] for name in ("Authorization", "Content-Type") if name in request.headers}
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                request.method, self.to + request.path_qs, headers=headers, data=await request.read()
            ) as answer,
        ):
            response = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.content_type})
            response.enable_chunked_encoding()
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk[:left])
                if left is not None and (left := left - len(chunk)) <= 0:
                    assert request.transport is not None
                    request.transport.abort()
                    break
            return response


@asynccontextmanager
async def faulty_way(url: str) -> AsyncIterator[FaultyWay]:
    """Open the way."""
    way = FaultyWay(url)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", way.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    way.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield way
    finally:
        await runner.cleanup()


async def test_a_stream_that_breaks_off_is_taken_up_where_it_was(url: str, tenant: TenantForTest) -> None:
    async with faulty_way(url) as way, TenantryClient.open(way.url, tenant.key) as client:
        agent = await client.agents.create(SELLER, publish=True)
        reply = await client.replies.send("Hello", agent_id=agent.id, lead_id="ada")
        for said in ("What for?", "I see"):
            await client.replies.send(said, lead_id="ada", agent_id=agent.id, conversation_id=reply.conversation_id)
        follow = client.conversations.follow
        whole = [event async for event in follow(reply.conversation_id, follow=False)]
        assert whole
        way.asked.clear()
        way.breaks = [100, 700, 100]
        assert [event async for event in follow(reply.conversation_id, follow=False)] == whole
        assert len(way.asked) == 4
        assert "after=0" in way.asked[0]
        assert "after=0" not in way.asked[2]


async def test_what_only_reads_is_sent_again_and_what_changes_is_not(url: str, tenant: TenantForTest) -> None:
    async with faulty_way(url) as way, TenantryClient.open(way.url, tenant.key) as client:
        way.breaks = [1, 1]
        assert [agent async for agent in client.agents.list()] == []
        assert len(way.asked) == 3
        way.breaks = [1]
        with pytest.raises(ServerUnreachable):
            await client.agents.create(SELLER)
        assert len([agent async for agent in client.agents.list()]) == 1, "it was done, and once"
        agent = await client.agents.create(SELLER, publish=True)
        way.breaks = [1]
        reply = await client.replies.send("Hello", agent_id=agent.id, lead_id="ada", idempotency_key="k1")
        assert (await client.conversations.get(reply.conversation_id)).turns == 1


async def test_a_server_that_is_not_there() -> None:
    # Nothing listens on the port of discarding.
    async with TenantryClient.open("http://127.0.0.1:9", "tnt_x") as client:
        with pytest.raises(ServerUnreachable, match="No answer from http"):
            await client.limits.get()


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_events_come_out_of_bytes_split_anywhere(size: int) -> None:
    first = b': hello\r\nid: 1\r\nevent: a\r\ndata: {"x":\r\ndata: 1}\r\n\r\n'
    stream = first + b':\n\nid: 2\nevent: b\ndata:{"y":"\xc3\xa4"}\n\nda'
    parser = EventParser()
    events = [event for at in range(0, len(stream), size) for event in parser.feed(stream[at : at + size])]
    assert [(event.type, event.data, event.cursor) for event in events] == [
        ("a", {"x": 1}, "1"),
        ("b", {"y": "ä"}, "2"),
    ]


async def test_the_guide_runs_as_written(
    url: str, tenant: TenantForTest, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("TENANTRY_URL", url), ("TENANTRY_API_KEY", tenant.key)):
        monkeypatch.setenv(name, value)
    blocks = re.findall(r"```python\n(.*?)```", await asyncio.to_thread(GUIDE.read_text), re.DOTALL)
    assert len(blocks) >= 4
    opening, *others = blocks
    body = "\n".join(indent(block, " " * 8) for block in others)
    source = opening.replace("        ...\n", body)
    assert source != opening
    names: dict[str, Any] = {"__name__": "guide"}
    exec(compile(source, str(GUIDE), "exec"), names)  # noqa: S102
    main: Callable[[], Any] = names["main"]
    await main()
    assert "agent> " in capsys.readouterr().out
