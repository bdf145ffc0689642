"""An agent edits what it keeps in mind of its contact: within bounds, of nobody else, and once."""

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest

from tenantry.domain.agent import AgentDefinition, Function
from tenantry.domain.ids import new_id
from tenantry.domain.memory import MOST_BLOCKS
from tenantry.domain.tools import ToolCallRequest, ToolResult
from tenantry.memory.registry import DEFAULT
from tenantry.storage.repositories import memory_blocks
from tenantry.storage.tenancy import Database
from tenantry.tools.registry import call_tool
from tests.conftest import TenantForTest
from tests.integration.booking_parties import Party, in_conversation, make_party
from tests.integration.conftest import Analyze

DEFINITION = AgentDefinition(name="Mindful", functions=(Function("memory_append"), Function("memory_replace")))


@pytest.fixture
async def party(database: Database, tenant: TenantForTest) -> Party:
    """A contact with mark's agent."""
    return await make_party(database, tenant.id, tenant.members["mark"], DEFINITION)


async def turn_of(party: Party) -> UUID:
    """A turn of the party's conversation, whose calls can be claimed."""
    turn_id = new_id()
    async with party.db.tenant(party.tenant_id) as tx:
        await tx.execute(
            "INSERT INTO turns (tenant_id, id, conversation_id, number, status, idempotency_scope, request_hash, "
            "model, lease_expires_at) SELECT $1, $2, $3, 1 + count(*), 'done', $1, $4, 'form-policy', now() FROM turns",
            party.tenant_id,
            turn_id,
            party.conversation_id,
            bytes(32),
        )
    return turn_id


async def claim(party: Party, turn_id: UUID, step: int, name: str) -> None:
    """Claim the call, unless an earlier attempt of the turn has."""
    async with party.db.tenant(party.tenant_id) as tx:
        await tx.execute(
            "INSERT INTO tool_calls (tenant_id, turn_id, step, name, arguments, status) "
            "VALUES ($1, $2, $3, $4, '{}', 'claimed') ON CONFLICT DO NOTHING",
            party.tenant_id,
            turn_id,
            step,
            name,
        )


async def call(party: Party, name: str, turn_id: UUID | None = None, step: int = 0, **arguments: str) -> ToolResult:
    """Claim and call the tool as a turn does that ends before it keeps the outcome."""
    turn_id = turn_id or await turn_of(party)
    await claim(party, turn_id, step, name)
    return await call_tool(party.context(turn_id, step), ToolCallRequest("call", name, arguments))


async def append(party: Party, text: str, label: str = "human", turn_id: UUID | None = None) -> ToolResult:
    return await call(party, "memory_append", turn_id, label=label, text=text)


async def value(party: Party, label: str = "human", *, own: bool = False) -> str | None:
    async with party.db.tenant(party.tenant_id) as tx:
        block = await memory_blocks.get(tx, party.agent.id, None if own else party.contact_id, label)
    return block.value if block else None


async def give(party: Party, text: str, *, own: bool = False, label: str = "human", limit: int = 2000) -> None:
    contact_id = None if own else party.contact_id
    async with party.db.tenant(party.tenant_id) as tx:
        await memory_blocks.create(tx, party.agent.id, contact_id, label)
        block = await memory_blocks.lock(tx, party.agent.id, contact_id, label)
        assert block is not None
        assert await memory_blocks.change(
            tx, block.id, value=text, char_limit=limit, description="", revision=block.revision
        )


async def test_lines_are_added_and_words_replaced(party: Party) -> None:
    assert (await append(party, "Has a dog.")).output == {
        "status": "ok",
        "label": "human",
        "characters": 10,
        "limit": 2000,
    }
    assert (await append(party, "Sells in May.")).done
    assert await value(party) == "Has a dog.\nSells in May."
    assert (await call(party, "memory_replace", label="human", old="May", new="June")).done
    assert (await call(party, "memory_replace", label="human", old="Has a dog.\n", new="")).done
    assert await value(party) == "Sells in June."


@pytest.mark.parametrize(("old", "says"), [("cat", "nowhere"), ("dog", "2 times")])
async def test_words_to_replace_must_be_there_once(party: Party, old: str, says: str) -> None:
    await give(party, "A dog, another dog.")
    result = await call(party, "memory_replace", label="human", old=old, new="bird")
    assert result.status == "invalid"
    assert says in result.output["message"]
    assert await value(party) == "A dog, another dog."


async def test_an_edit_beyond_the_limit_is_told_and_changes_nothing(party: Party) -> None:
    await give(party, "12345678", limit=10)
    result = await append(party, "90")
    assert result.status == "invalid"
    assert "would have 11 characters and may have 10" in result.output["message"]
    assert (await call(party, "memory_replace", label="human", old="1", new="1111")).status == "invalid"
    assert await value(party) == "12345678"
    assert (await append(party, "9")).done


@pytest.mark.parametrize("label", ["Human", "", "a b", "human\n", "x" * 65, "../other"])
async def test_what_is_no_label_is_invalid(party: Party, label: str) -> None:
    assert (await append(party, "text", label)).status == "invalid"


@pytest.mark.parametrize("text", ["", "a\x00b", "x" * 2001, "\ud800"])
async def test_text_that_cannot_be_kept_is_invalid(party: Party, text: str) -> None:
    context = party.context()
    request = ToolCallRequest("call", "memory_append", {"label": "human", "text": text})
    assert (await call_tool(context, request)).status == "invalid"


async def test_a_contact_has_so_many_blocks_and_no_more(party: Party) -> None:
    for number in range(MOST_BLOCKS):
        assert (await append(party, "text", f"b{number}")).done
    assert (await append(party, "text", "one-more")).status == "invalid"
    assert (await append(party, "more", "b0")).done


async def test_what_is_for_every_contact_no_conversation_changes(party: Party) -> None:
    await give(party, "Be patient.", own=True, label="persona")
    for name, arguments in (
        ("memory_append", {"text": "Be rude."}),
        ("memory_replace", {"old": "patient", "new": "rude"}),
    ):
        result = await call(party, name, label="persona", **arguments)
        assert (result.status, result.output["reason"]) == ("refused", "read_only")
    assert await value(party, "persona", own=True) == "Be patient."
    assert await value(party, "persona") is None


async def test_contacts_and_agents_have_nothing_in_common(party: Party) -> None:
    other, second = await party.another_contact(), await make_party(party.db, party.tenant_id, None, DEFINITION)
    same_contact = replace(await in_conversation(party.db, second.agent), contact_id=party.contact_id)
    await append(party, "mine")
    for stranger in (other, same_contact):
        assert (await call(stranger, "memory_replace", label="human", old="mine", new="")).status == "not_found"
        assert (await append(stranger, "theirs")).done
    assert await value(party) == "mine"
    async with party.db.tenant(party.tenant_id) as tx:
        found = await DEFAULT.blocks(tx, party.agent.id, other.contact_id)
    assert [block.value for block in found] == ["theirs"]


async def test_a_call_that_was_cut_off_before_its_outcome_was_kept_changes_nothing_again(party: Party) -> None:
    turn_id = await turn_of(party)
    first = await append(party, "once", turn_id=turn_id)
    # Another call of the same turn came in between.
    assert (await call(party, "memory_append", turn_id, 1, label="human", text="twice")).done
    assert await append(party, "once", turn_id=turn_id) == first
    assert await value(party) == "once\ntwice"


async def test_two_processes_at_the_same_call_make_it_once(party: Party) -> None:
    turn_id = await turn_of(party)
    request = ToolCallRequest("call", "memory_append", {"label": "human", "text": "once"})
    await claim(party, turn_id, 0, request.name)
    results = await asyncio.gather(*(call_tool(party.context(turn_id), request) for _ in range(5)))
    assert [result.status for result in results] == ["ok"] * 5
    assert await value(party) == "once"


async def test_edits_at_the_same_time_all_count(party: Party) -> None:
    turn_id = await turn_of(party)
    calls = (call(party, "memory_append", turn_id, step, label="human", text=f"<{step}>") for step in range(8))
    assert [result.status for result in await asyncio.gather(*calls)] == ["ok"] * 8
    assert sorted((await value(party) or "").split("\n")) == [f"<{step}>" for step in range(8)]


async def test_a_call_that_nobody_claimed_is_not_made(party: Party) -> None:
    request = ToolCallRequest("call", "memory_append", {"label": "human", "text": "once"})
    assert (await call_tool(party.context(), request)).output == {"status": "failed", "reason": "not_claimed"}
    assert await value(party) is None


async def test_a_conversation_is_read_with_its_blocks_in_one_statement(party: Party) -> None:
    other = await party.another_contact()
    await give(party, "a", own=True, label="persona")
    await give(party, 'b "quoted"\nü')
    await give(other, "c")
    statement = f"SELECT {memory_blocks.OF_CONVERSATION} FROM conversations c WHERE c.tenant_id = $1 AND c.id = $2"
    async with party.db.tenant(party.tenant_id) as tx:
        read = await tx.value(statement, party.tenant_id, party.conversation_id)
        blocks = await DEFAULT.blocks(tx, party.agent.id, party.contact_id)
        assert memory_blocks.blocks_from(read) == blocks
        assert [(block.scope, block.value) for block in blocks] == [("agent", "a"), ("contact", 'b "quoted"\nü')]
        assert [block.value for block in await DEFAULT.blocks(tx, party.agent.id, None)] == ["a"]
    assert memory_blocks.blocks_from(None) == ()


@pytest.mark.parametrize("read", ["conversation", "contact", "agent"])
async def test_blocks_are_found_by_index_among_those_of_very_many_contacts(
    party: Party, analyze: Analyze, read: str
) -> None:
    whose = party.contact_id if read == "contact" else None
    if read == "conversation":
        statement = f"SELECT {memory_blocks.OF_CONVERSATION} FROM conversations c WHERE c.tenant_id = $1 AND c.id = $2"
        types, given = "uuid, uuid", f"'{party.tenant_id}', '{party.conversation_id}'"
    else:
        statement = memory_blocks._read(whose)  # pyright: ignore[reportPrivateUsage]
        types, id_ = "uuid, uuid, uuid, text", f"'{whose}'" if whose else "NULL"
        given = f"'{party.tenant_id}', '{party.agent.id}', {id_}, 'human'"
    async with party.db.tenant(party.tenant_id) as tx:
        await tx.execute(
            "WITH made AS (INSERT INTO contacts (tenant_id, id) SELECT $1, gen_random_uuid() "
            "FROM generate_series(1, 3000) RETURNING id) "
            "INSERT INTO memory_blocks (tenant_id, id, agent_id, contact_id, label) "
            "SELECT $1, gen_random_uuid(), $2, id, 'human' FROM made",
            party.tenant_id,
            party.agent.id,
        )
    await analyze("memory_blocks", "contacts")
    async with party.db.tenant(party.tenant_id) as tx:
        # The plan that a prepared statement comes to when it is used for everybody.
        await tx.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        await tx.execute(f"PREPARE memory_read ({types}) AS {statement}")
        rows = await tx.rows(f"EXPLAIN (ANALYZE) EXECUTE memory_read ({given})")
        await tx.execute("DEALLOCATE memory_read")
    plan = "\n".join(row[0] for row in rows)
    assert "$1" in plan
    assert "Seq Scan on memory_blocks" not in plan, plan
    assert "Rows Removed by Filter" not in plan, plan
