"""From an empty folder: `tenantry agents setup`, then a conversation with an agent of each type over HTTP."""

import asyncio
from pathlib import Path

import msgspec

from tenantry.agent_files.built_in_types import built_in_types
from tenantry.cli.local import find_tenant, passing_key
from tenantry.client import TenantryClient
from tenantry.client.agents import SetUpType
from tenantry.client.replies import Reply
from tenantry.domain.agent import AgentDefinition, VariableType
from tenantry.domain.conversation import TurnResult
from tenantry.domain.tenant import Tenant
from tenantry.llm.typed_values import field_value
from tenantry.server.runtime import Runtime, open_runtime
from tenantry.server.serving import bind, serving
from tenantry.settings import Settings
from tests.acceptance.commands import run

OPENINGS = {
    "automotive_sales": "Good morning, I want something for a family of five that is cheap to run",
    "interview": "Hello, I would like to apply as a backend engineer",
    "onboarding": "Hi, I have just signed up",
    "property_seller": "Hi, we are thinking about selling our house at 12 Elm Street, Springfield",
    "rental_inquiry": "Hello, I'm looking for a two bedroom apartment near the river",
    "sales": "Hello, I'm looking for a tool for our support team",
    "support": "Hi, I was charged twice for my subscription this month and nobody answers me",
}
ANSWERS = {
    VariableType.TEXT: "It should be done before the end of the month",
    VariableType.NAME: "Ana Ruiz",
    VariableType.ADDRESS: "12 Elm Street, Springfield",
    VariableType.EMAIL: "ana.ruiz@example.com",
    VariableType.PHONE: "415 555 0132",
    VariableType.NUMBER: "3",
    VariableType.MONEY: "2,000 dollars",
    VariableType.DATE: "January 15th",
    VariableType.TIME: "at 3 pm",
    VariableType.DATETIME: "next Tuesday at 10 am",
    VariableType.YES_NO: "no",
}
MOST_TURNS = 30
_result = msgspec.json.Decoder(TurnResult)


async def test_each_type_is_set_up_and_holds_a_conversation_with_valid_turn_fields(home: Path) -> None:
    code, printed = await run(home, "agents", "setup")
    assert code == 1
    assert "`tenantry tenant create acme`" in printed
    assert (await run(home, "tenant", "create", "acme"))[0] == 0
    code, printed = await run(home, "agents", "setup", "--tenant", "acme")
    assert code == 0, printed
    rows = [line for line in printed.splitlines() if "created" in line]
    assert len(rows) == len(built_in_types()) == 7
    for type_name, file in built_in_types().items():
        row = next(line for line in rows if f" {type_name} " in line)
        assert file.definition.turn_fields[0].name in row
    async with open_runtime(Settings(home=home)) as runtime, serving(runtime, bind("127.0.0.1", 0)) as url:
        tenant = await find_tenant(runtime.db, "acme")
        async with passing_key(runtime.db, tenant.id) as key, TenantryClient.open(url, key) as client:
            made = await client.agents.set_up()
            assert {item.result for item in made.items} == {"existed"}
            await asyncio.gather(*(_converse(runtime, tenant, client, item) for item in made.items))


async def _converse(runtime: Runtime, tenant: Tenant, client: TenantryClient, item: SetUpType) -> None:
    assert item.agent_id is not None
    definition = (await client.agents.get(item.agent_id)).definition
    reply = await client.replies.send(OPENINGS[item.type], purpose=item.type, lead_id=f"lead-{item.type}")
    assert reply.agent_id == item.agent_id
    turns = [reply]
    while reply.missing and len(turns) < MOST_TURNS:
        reply = await client.replies.send(
            _answer(definition, reply),
            agent_id=item.agent_id,
            lead_id=f"lead-{item.type}",
            conversation_id=reply.conversation_id,
        )
        turns.append(reply)
    assert not reply.missing, f"{item.type} asked on: {reply.reply}"
    for turn in turns:
        assert turn.reply
        for field in definition.turn_fields:
            if field.name in turn.fields:
                assert field_value(field, turn.fields[field.name]) == turn.fields[field.name], (item.type, turn.fields)
        async with runtime.db.tenant(tenant.id) as tx:
            stored = _result.decode(await tx.value("SELECT result FROM turns WHERE id = $1", turn.turn_id))
        assert stored.fields == turn.fields
    assert set(reply.fields) == {field.name for field in definition.turn_fields}, item.type


def _answer(definition: AgentDefinition, reply: Reply) -> str:
    if any(choice.lower().startswith("yes") for choice in reply.quick_replies):
        return "Yes, that is right"
    if reply.quick_replies == ("Skip",):
        return "skip"
    asked = next((name for name in reply.missing if name not in reply.variables), reply.missing[0])
    variable = definition.variable(asked)
    assert variable is not None
    return variable.choices[0] if variable.choices else ANSWERS[variable.type]
