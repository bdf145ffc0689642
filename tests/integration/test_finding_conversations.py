"""What a turn reads does not grow with the conversations of its tenant."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tenantry.domain.ids import new_id
from tenantry.engine.answering import DEFAULT_AGENT
from tenantry.storage.repositories import agent_versions
from tenantry.storage.repositories.conversations import _FIND  # pyright: ignore[reportPrivateUsage]
from tenantry.storage.tenancy import Database
from tests.conftest import TenantForTest
from tests.integration.conftest import Analyze

CONVERSATIONS = 3_000


@pytest.mark.parametrize("plan", ["force_custom_plan", "force_generic_plan"])
async def test_one_conversation_of_thousands_is_found_without_looking_at_the_others(
    database: Database, tenant: TenantForTest, analyze: Analyze, plan: str
) -> None:
    async with database.tenant(tenant.id) as tx:
        agent = await agent_versions.create_published(tx, DEFAULT_AGENT, None, by="operator:test")
        await tx.execute(
            "INSERT INTO contacts (tenant_id, id) SELECT $1, uuidv7() FROM generate_series(1, $2)",
            tenant.id,
            CONVERSATIONS,
        )
        await tx.execute(
            "INSERT INTO contact_identities (tenant_id, kind, hash, contact_id) "
            "SELECT $1, 'external', sha256(id::text::bytea), id FROM contacts WHERE tenant_id = $1",
            tenant.id,
        )
        await tx.execute(
            "INSERT INTO conversations (tenant_id, id, agent_id, first_agent_id, contact_id, channel, external_id) "
            "SELECT $1, uuidv7(), $2, $2, id, 'http', 'chat-1' FROM contacts WHERE tenant_id = $1",
            tenant.id,
            agent.id,
        )
        digest = await tx.value("SELECT hash FROM contact_identities WHERE tenant_id = $1 LIMIT 1", tenant.id)
    await analyze("contacts", "contact_identities", "conversations")
    async with database.tenant(tenant.id) as tx:
        await tx.execute(f"SET LOCAL plan_cache_mode = {plan}")
        text = await tx.value(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {_FIND}",
            tenant.id, None, ["external"], [digest], agent.id, "chat-1", new_id(), True,
        )  # fmt: skip
    root = json.loads(text)[0]["Plan"]
    assert root["Actual Rows"] == 1
    read = [
        (node["Node Type"], node.get("Index Name"), rows)
        for node in _nodes(root)
        if (rows := (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]) > 50
    ]
    assert read == []


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)
