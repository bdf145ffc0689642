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
from tenantry.storage.repositories import conversations as talks
from tenantry.storage.repositories import memory_blocks, tool_calls, turns
from tenantry.storage.repositories.turns import NewTurn
from tenantry.storage.tenancy import Database
from tenantry.tools.registry import call_tool
from tests.conftest import TenantForTest
from tests.integration.booking_parties import Party, in_conversation, make_party

DEFINITION = AgentDefinition(name="Mindful", functions=(Function("memory_append"), Function("memory_replace")))


@pytest.fixture
async def party(database: Database, tenant: TenantForTest) -> Party:
    """A contact with mark's agent."""
    return await make_party(database, tenant.id, tenant.members["mark"], DEFINITION)


async def running_turn(party: Party) -> UUID:
    """A turn of the party's conversation."""
    new = NewTurn("hello", "form-policy", bytes(32), party.tenant_id, None, new_id())
    async with party.db.tenant(party.tenant_id) as tx:
        conversation = await talks.get(tx, party.conversation_id, sees_only=None)
        assert conversation is not None
        return (await turns.accept(tx, conversation, new)).id


async def call(party: Party, name: str, turn_id: UUID | None = None, step: int = 0, **arguments: str) -> ToolResult:
    """Claim and call the tool as a turn does, which ends before it keeps the outcome."""
    turn_id = turn_id or await running_turn(party)
    request = ToolCallRequest("call", name, arguments)
    async with party.db.tenant(party.tenant_id) as tx:
        claim = await tool_calls.claim(tx, turn_id, step, request)
    if claim.earlier is not None:
        return claim.earlier
    return await call_tool(party.context(turn_id, step), request)


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
    turn_id = await running_turn(party)
    first = await append(party, "once", turn_id=turn_id)
    # Another call of the same turn came in between.
    assert (await call(party, "memory_append", turn_id, 1, label="human", text="twice")).done
    assert await append(party, "once", turn_id=turn_id) == first
    # And a process that was thought dead finishes the very call.
    request = ToolCallRequest("call", "memory_append", {"label": "human", "text": "once"})
    assert await call_tool(party.context(turn_id), request) == first
    assert await value(party) == "once\ntwice"


async def test_two_processes_at_the_same_call_make_it_once(party: Party) -> None:
    turn_id = await running_turn(party)
    request = ToolCallRequest("call", "memory_append", {"label": "human", "text": "once"})
    async with party.db.tenant(party.tenant_id) as tx:
        await tool_calls.claim(tx, turn_id, 0, request)
    results = await asyncio.gather(*(call_tool(party.context(turn_id), request) for _ in range(5)))
    assert [result.status for result in results] == ["ok"] * 5
    assert await value(party) == "once"


async def test_edits_at_the_same_time_all_count(party: Party) -> None:
    turn_id = await running_turn(party)
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
async def test_blocks_are_found_by_index_among_those_of_very_many_contacts(party: Party, read: str) -> None:
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
        # The plan that a prepared statement comes to when it is used for everybody.
        await tx.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        await tx.execute(f"PREPARE memory_read ({types}) AS {statement}")
        rows = await tx.rows(f"EXPLAIN (ANALYZE) EXECUTE memory_read ({given})")
        await tx.execute("DEALLOCATE memory_read")
    plan = "\n".join(row[0] for row in rows)
    assert "$1" in plan
    assert "Seq Scan on memory_blocks" not in plan, plan
    assert "Rows Removed by Filter" not in plan, plan
