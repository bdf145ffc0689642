"""After a contact is deleted no table holds anything of it, also when a turn of it runs meanwhile."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import pytest

from tenantry.credentials.master_key import ContactHasher, load_master_key
from tenantry.domain.agent import AgentDefinition
from tenantry.domain.errors import NotFound
from tenantry.engine.turn import Engine
from tenantry.lifecycle.erasure import erase_contact, erase_tenant
from tenantry.llm.registry import Models
from tenantry.server.runtime import Runtime
from tenantry.server.serving import bind, serving
from tenantry.settings import ModelSettings
from tenantry.storage.isolation.seeding import claim_unknown
from tenantry.storage.repositories import agent_versions, contacts, conversations, tenants
from tenantry.storage.repositories.conversations import NewConversation
from tests.conftest import MakeTenant, TenantForTest
from tests.held_model import HeldModel, held_model
from tests.integration import valuation_service
from tests.integration.model_talk import Talk, calling, model_talk
from tests.integration.test_models import answer, weekday
from tests.integration.test_tenant_deletion import rows_of
from tests.integration.whole_database import tables_with
from tests.wire_server import streaming

# What stays under the ids of a contact and of its conversations: numbers, and who did what.
KEEP_IDS = {"usage", "audit_log"}


@dataclass(frozen=True)
class Person:
    """Somebody whose every word is nobody else's."""

    word: str

    @property
    def name(self) -> str:
        return f"Ada {self.word}"

    @property
    def email(self) -> str:
        return f"{self.word}@example.org"

    @property
    def phone(self) -> str:
        return f"+4930{int(self.word[2:], 16) % 10**8:08}"

    @property
    def lead_id(self) -> str:
        return f"crm-{self.word}"

    def marks(self, tenant_id: UUID, hasher: ContactHasher) -> list[str]:
        """All by which it could be found again: words, number, hashes."""
        given = (("external", self.lead_id), ("email", self.email), ("phone", self.phone), ("conversation", "c"))
        hashes = [hasher.hash(tenant_id, kind, text).hex() for kind, text in given]
        return [self.word, self.phone, *hashes]


def a_person() -> Person:
    return Person(f"zz{secrets.token_hex(8)}")


@pytest.fixture
async def talk(runtime: Runtime, tenant: TenantForTest) -> AsyncIterator[Talk]:
    """A personal agent with everything that keeps something of a contact."""
    async with valuation_service.serving() as service:
        definition = {
            "name": "Keeper",
            "pattern": "personal",
            "business_hours": [{"days": ["tue"], "opens": "08:00", "closes": "18:00"}],
            "variables": [{"name": "email", "type": "email"}, {"name": "full_name", "type": "text"}],
            "functions": [
                {"name": "set_appointment", "variables": ["email", "full_name"]},
                {"name": "memory_append"},
                {"name": "order_photos", "http": {"url": f"{service.url}/photos"}, "variables": ["full_name"]},
            ],
        }
        async with model_talk(runtime, tenant, definition) as talk:
            yield talk


async def live_through(talk: Talk, tenant: TenantForTest, person: Person) -> dict[str, Any]:
    """Say, note, book, remember and order all that can be, and change what is the contact's own."""
    named = {"full_name": person.name}
    talk.wire.script += [
        streaming(
            calling(
                ("set_appointment", {"start": weekday(), "email": person.email, **named}),
                ("memory_append", {"label": "human", "text": f"Calls from {person.phone}"}),
                ("order_photos", named),
                ("order_photos", {"user_id": person.name, **named}),
            )
        ),
        streaming(answer(f"Done, {person.name}.", variables={"email": person.email, **named})),
    ]
    told = await talk.say(
        f"I am {person.name}, {person.phone}",
        leadId=person.lead_id,
        leadEmail=person.email,
        topic=f"house of {person.name}",
        idempotencyKey=f"once-{person.email}",
    )
    assert [call["output"]["status"] for call in told["toolCalls"]] == ["booked", "ok", "ok", "refused"], told
    # Of other conversations and by other ways.
    talk.wire.script.append(streaming(answer(f"Hello again, {person.name}.")))
    await talk.say(f"{person.phone} again", leadId=person.lead_id, conversationId=f"talk of {person.name}")
    blocks = f"/api/v1/agents/{talk.agent_id}/blocks/note"
    body = {"value": f"{person.name} likes tea", "contact": person.lead_id}
    async with talk.session.put(blocks, json=body) as response:
        assert response.status == 200
    async with talk.runtime.db.tenant(tenant.id) as tx:
        await claim_unknown(tx, UUID(told["turnId"]), 50, person.name)
        await tx.execute(
            "UPDATE personal_agents SET changes = $2 WHERE agent_id = $1",
            UUID(talk.agent_id),
            {"greeting": f"Hello {person.name}"},
        )
    return told


async def find(talk: Talk, person: Person) -> str:
    async with talk.session.post("/api/v1/contacts/find", json={"leadId": person.lead_id}) as response:
        assert response.status == 200, await response.text()
        return (await response.json())["id"]


async def test_no_column_of_any_table_holds_anything_of_a_deleted_contact(
    talk: Talk, tenant: TenantForTest, session_home: Path
) -> None:
    hasher = ContactHasher(load_master_key(session_home, None))
    person, other = a_person(), a_person()
    told = await live_through(talk, tenant, person)
    talk.wire.script.append(streaming(answer(f"Good day, {other.name}.")))
    await talk.say(f"I am {other.name}", leadId=other.lead_id)
    contact_id, others = await find(talk, person), await tables_with(session_home, other.word)
    held = await tables_with(session_home, person.word)
    assert held.keys() == {
        "bookings", "conversations", "events", "memory_blocks", "messages", "personal_agents", "tool_calls",
        "turn_traces", "turns",
    }  # fmt: skip
    assert await tables_with(session_home, hasher.hash(tenant.id, "email", person.email).hex())
    async with talk.session.put(f"/api/v1/contacts/{contact_id}/tags", json={"tags": [person.word]}) as response:
        assert response.status == 200

    receipt = await erase_contact(talk.runtime.engine, tenant.id, UUID(contact_id), "key:test")

    marks = person.marks(tenant.id, hasher)
    assert {mark: found for mark in marks if (found := await tables_with(session_home, mark))} == {}
    ids = [contact_id, told["conversationId"], told["turnId"]]
    assert {table for mark in ids for table in await tables_with(session_home, mark)} <= KEEP_IDS
    assert await tables_with(session_home, other.word) == others
    # The receipt: every table that held something, in numbers, and no person's words.
    assert receipt.removed.keys() == {*held, "contacts", "contact_identities"}
    assert (receipt.removed["contacts"], receipt.removed["conversations"], receipt.removed["turns"]) == (1, 2, 2)
    assert (receipt.removed["messages"], receipt.removed["contact_identities"]) == (4, 2)
    assert [freed.owner_member_id for freed in receipt.freed] == [tenant.members["mark"]]
    assert {kept.what: kept.rows for kept in receipt.kept} == {"usage": 2, "audit_log": None, "rate limits": None}
    assert not [mark for mark in marks if mark in str(receipt)]
    async with talk.runtime.db.tenant(tenant.id) as tx:
        kept = await tx.one("SELECT actor, target, details FROM audit_log WHERE action = 'contact.deleted'")
    assert (kept["actor"], kept["target"]) == ("key:test", f"contact:{contact_id}")
    assert json.loads(kept["details"])["receipt"]["removed"] == receipt.removed
    # The time is free again, and who writes again is somebody new.
    async with talk.session.get("/api/v1/calendar/events") as response:
        assert (await response.json())["items"] == []
    talk.wire.script.append(streaming(answer("Hello.")))
    again = await talk.say(leadId=person.lead_id)
    assert again["conversationId"] != told["conversationId"]
    assert await find(talk, person) != contact_id
    with pytest.raises(NotFound):
        await erase_contact(talk.runtime.engine, tenant.id, UUID(contact_id), "key:test")


@dataclass
class HeldTalk:
    """An agent whose model answers when it may."""

    model: HeldModel
    runtime: Runtime
    session: aiohttp.ClientSession
    agent_id: str

    async def say(self, lead: str, **more: Any) -> tuple[int, Any]:
        body = {"message": "hello", "agentId": self.agent_id, "leadId": lead, "conversationId": "c", **more}
        async with self.session.post("/api/agent/reply", json=body) as response:
            return response.status, await response.json()


@pytest.fixture
async def held(runtime: Runtime, tenant: TenantForTest) -> AsyncIterator[HeldTalk]:
    """A server of its own whose model is held."""
    async with held_model() as model:
        models = Models(ModelSettings("maker/held", model.url, "sk-test"))
        resources = replace(runtime.resources, models=models)
        own = replace(runtime, resources=resources, engine=Engine(resources))
        headers = {"Authorization": f"Bearer {tenant.key}"}
        try:
            async with (
                serving(own, bind("127.0.0.1", 0)) as url,
                aiohttp.ClientSession(url, headers=headers) as session,
            ):
                body = {"definition": {"name": "Slow"}, "publish": True}
                async with session.post("/api/v1/agents", json=body) as response:
                    agent = await response.json()
                yield HeldTalk(model, own, session, agent["id"])
                model.may_answer.set()
        finally:
            await models.close()


@pytest.mark.parametrize("here", [True, False], ids=["in the same process", "in another process"])
async def test_a_turn_of_a_deleted_contact_ends_and_nothing_of_it_comes_back(
    held: HeldTalk, runtime: Runtime, tenant: TenantForTest, session_home: Path, here: bool
) -> None:
    word = a_person().word
    saying = [asyncio.create_task(held.say(word, message=f"I am {word}"))]
    await held.model.until(lambda: held.model.open == 1)
    saying.append(asyncio.create_task(held.say(word, message=f"{word} again")))
    while len(held.runtime.engine.live) < 2:
        await asyncio.sleep(0.01)
    async with held.runtime.db.tenant(tenant.id) as tx:
        hasher = runtime.resources.hasher
        contact = await contacts.find(tx, [("external", hasher.hash(tenant.id, "external", word))])
    assert contact is not None
    engine = held.runtime.engine if here else Engine(runtime.resources)
    receipt = await erase_contact(engine, tenant.id, contact.id, "key:test")
    assert (receipt.removed["turns"], receipt.removed["messages"]) == (2, 2)
    if not here:
        # Nobody tells the process that thinks; it finds out when it stores.
        held.model.may_answer.set()
    for status, body in await asyncio.gather(*saying):
        assert (status, body["code"]) == (410, "conversation_deleted")
    await held.model.until(lambda: held.model.open == 0)
    assert await tables_with(session_home, word) == {}
    held.model.may_answer.set()
    status, again = await held.say(word)
    assert (status, again["reply"]) == (200, "You said: hello")


async def test_messages_that_come_while_a_contact_is_deleted_begin_anew(
    runtime: Runtime, tenant: TenantForTest, url: str
) -> None:
    """Whoever is first, a message is answered, and no row is left without its contact."""
    headers = {"Authorization": f"Bearer {tenant.key}"}
    async with aiohttp.ClientSession(url, headers=headers) as session:

        async def say(number: int) -> tuple[int, str]:
            body = {"message": "hello", "leadId": "eager", "conversationId": f"talk {number % 3}"}
            async with session.post("/api/agent/reply", json=body) as response:
                return response.status, await response.text()

        async def delete() -> int:
            async with session.post("/api/v1/contacts/find", json={"leadId": "eager"}) as response:
                if response.status == 404:
                    return 404
                contact = await response.json()
            async with session.delete(f"/api/v1/contacts/{contact['id']}") as response:
                return response.status

        for _ in range(5):
            said, deleted = asyncio.gather(*map(say, range(12))), asyncio.gather(*(delete() for _ in range(4)))
            # 410 for who was in the middle; 503 is a busy conversation.
            assert {status for status, _ in await said} <= {200, 410, 503}, await said
            assert {*await deleted} <= {200, 404}
        assert (await say(0))[0] == 200


async def test_who_is_about_to_speak_is_deleted_after_it(runtime: Runtime, tenant: TenantForTest) -> None:
    identity = ("external", secrets.token_bytes(32))
    async with runtime.db.tenant(tenant.id) as tx:
        agent = await agent_versions.create_published(tx, AgentDefinition(name="Any"), None, by="test")
        contact_id = (await contacts.find_or_create(tx, [identity])).id
    async with runtime.db.tenant(tenant.id) as tx:
        assert (await contacts.find_or_create(tx, [identity])).id == contact_id
        erasing = asyncio.create_task(erase_contact(runtime.engine, tenant.id, contact_id, "key:test"))
        async with asyncio.timeout(20):
            while not erasing.done() and not await tx.value("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"):
                await asyncio.sleep(0.01)
        await conversations.create(tx, NewConversation(agent.id, None, contact_id, "api", "c", None))
    assert (await erasing).removed["conversations"] == 1


async def test_a_deleted_tenant_leaves_nothing_but_the_receipt(
    runtime: Runtime, make_tenant: MakeTenant, session_home: Path, url: str
) -> None:
    made, other = await make_tenant(), await make_tenant()
    headers = {"Authorization": f"Bearer {made.key}"}
    async with aiohttp.ClientSession(url, headers=headers) as session:
        async with session.post("/api/agent/reply", json={"message": "hello"}) as response:
            assert response.status == 200
        before = {table: rows for table, rows in (await rows_of(session_home, made.id)).items() if rows}
        async with runtime.db.operator(other.id) as tx:
            await tx.execute(
                "INSERT INTO members (tenant_id, id, user_id, role, display_name) "
                "SELECT $1, gen_random_uuid(), id, 'viewer', 'vera' FROM users WHERE email = $2",
                other.id,
                f"vera@{made.slug}.example",
            )
        async with runtime.db.operator() as tx:
            tenant = await tenants.find(tx, made.slug)
        assert tenant is not None
        receipt = await erase_tenant(runtime.db, tenant, "operator:test")
        async with session.post("/api/agent/reply", json={"message": "hello"}) as response:
            assert response.status == 401
    # Three people were this tenant's alone; the fourth is a member of the other one by now.
    assert receipt.removed == {**before, "users": 3}
    assert await tables_with(session_home, str(made.id)) == {}
    assert await tables_with(session_home, made.slug) == {"users": 1}
    with pytest.raises(NotFound):
        await erase_tenant(runtime.db, tenant, "operator:test")
