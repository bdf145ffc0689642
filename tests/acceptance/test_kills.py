"""`kill -9` at random moments under load, with tool calls against a service that counts.

TENANTRY_KILLS is how many; 300 are the whole proof.
"""

import asyncio
import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from tenantry.domain.agent import AgentDefinition
from tests.acceptance.kill_load import Line, Said
from tests.acceptance.killing import FINISHED_WITHIN_S, Found, kill_and_look, make_parties, model_at, starter
from tests.conftest import copied_home, new_home
from tests.held_model import held_model

KILLS = int(os.environ.get("TENANTRY_KILLS", "12"))


@pytest.fixture(scope="module", params=["embedded", "external"])
def form(request: pytest.FixtureRequest) -> str:
    """Servers on a database of their own, which dies with them, and on one that outlives them."""
    return request.param


@pytest.fixture(scope="module")
def kills_home(form: str, empty_installation: Path) -> Iterator[Path]:
    """A home of one form."""
    with new_home() as made:
        yield copied_home(empty_installation, made)


@pytest.fixture(scope="module")
async def found(form: str, kills_home: Path) -> Found:
    """What was left."""
    # On an outside database every kill leaves the same thing, leases that must run out: a few show it.
    kills = KILLS if form == "embedded" else max(4, KILLS // 8)
    found = await kill_and_look(kills_home, kills, external=form == "external")
    print(f"{form}: {found.summary()}")
    return found


async def test_the_kills_hit_turns_in_the_middle(found: Found) -> None:
    assert sum(row["attempts"] > 1 for row in found.turns) >= found.kills / 4
    assert found.service.received > found.kills
    assert found.bookings
    assert found.model.faults == []


async def test_every_turn_is_done_soon_after_the_restart(found: Found) -> None:
    assert found.unfinished == 0
    assert found.last_finished_s < FINISHED_WITHIN_S


async def test_no_message_is_lost_and_each_has_one_reply(found: Found) -> None:
    turns = {row["idempotency_key"]: row for row in found.turns}
    assert len(turns) == len(found.turns) == len(found.said)
    for said in found.said:
        turn = turns[said.key]
        assert said.answer is not None
        assert (turn["status"], turn["id"]) == ("done", said.answer["turnId"])
        assert turn["messages"] == [said.body["message"], said.answer["reply"]]
        assert turn["conversation"] == said.body["conversationId"]
    conversations: dict[str, list[int]] = defaultdict(list)
    for row in found.turns:
        conversations[row["conversation"]] += row["numbers"]
    for numbers in conversations.values():
        assert sorted(numbers) == list(range(1, len(numbers) + 1))


async def test_events_have_no_gaps(found: Found) -> None:
    for row in found.events:
        assert row["seqs"] == list(range(1, row["last_event"] + 1))


async def test_what_is_told_as_ordered_was_carried_out(found: Found) -> None:
    for said in found.said:
        for call in (said.answer or {})["toolCalls"]:
            if call["name"] == "order" and call["output"]["status"] == "ok":
                assert found.service.executed[call["arguments"]["order_number"]] >= 1


async def test_no_order_is_carried_out_twice(found: Found) -> None:
    assert {number: count for number, count in found.service.executed.items() if count > 1} == {}


async def test_nothing_is_remembered_twice(found: Found) -> None:
    assert found.remembered
    assert {line: count for line, count in Counter(found.remembered).items() if count > 1} == {}
    told = {
        call["arguments"]["text"]
        for said in found.said
        for call in (said.answer or {})["toolCalls"]
        if call["name"] == "memory_append" and call["output"]["status"] == "ok"
    }
    assert told == set(found.remembered)


async def test_a_lost_stream_is_heard_to_its_end(found: Found) -> None:
    streamed = found.streamed()
    assert streamed
    # A few kills may all fall between the words.
    assert any(heard.cut for _, heard in streamed) or found.kills < 60
    for said, heard in streamed:
        assert heard.whole
        assert said.answer is not None
        assert (heard.turn_id, heard.text) == (said.answer["turnId"], said.answer["reply"])


async def test_every_turn_is_counted_once_and_can_be_explained(found: Found) -> None:
    for row in found.turns:
        asked = {attempt["model"] for attempt in json.loads(row["models"])}
        assert row["used"] == sorted(asked or {row["model"]})


async def test_nothing_is_left_behind(found: Found) -> None:
    assert found.left_behind == []


async def test_nothing_is_booked_twice(found: Found) -> None:
    booked = Counter(row["conversation"] for row in found.bookings)
    told = Counter(
        said.body["conversationId"]
        for said in found.said
        for call in (said.answer or {})["toolCalls"]
        if call["name"] == "set_appointment" and call["output"]["status"] == "booked"
    )
    assert found.overlaps == 0
    assert set(booked.values()) == {1}
    assert set(told.values()) == {1}
    assert set(told) <= set(booked)


LEFT = 20


async def test_what_was_left_is_taken_up_side_by_side_while_the_server_answers(installed: Path) -> None:
    """Were each waited for, a model that hangs would keep the server from answering for as long as it is patient."""
    parties = await make_parties(installed, [AgentDefinition(name="Echo")])
    headers = {"Authorization": f"Bearer {parties.key}"}
    async with (
        held_model() as model,
        starter(installed, **model_at(model.url)) as server,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
    ):
        line = Line(server.url, headers)
        line.open.set()
        said = [Said({"message": "Hello", "agentId": parties.agents[0], "idempotencyKey": f"{n}"}) for n in range(LEFT)]
        await server.fork()
        await server.ready()
        sending = [asyncio.create_task(line.send(session, each)) for each in said]
        await model.until(lambda: model.open == LEFT)
        await server.kill()
        assert not any(await asyncio.gather(*sending))
        await model.until(lambda: model.open == 0)
        await server.fork()
        async with asyncio.timeout(8):
            await server.ready()
            await model.until(lambda: model.open == LEFT)
        model.may_answer.set()
        assert all(await asyncio.gather(*(line.send(session, each) for each in said)))
    assert {(each.answer or {})["reply"] for each in said} == {"You said: Hello"}
    assert len(model.heard) == 2 * LEFT
