"""Many agents and contacts, written straight into an installation's database."""

import time
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import asyncpg

from tenantry.credentials.master_key import load_master_key
from tenantry.storage.embedded import running_address

# Copies of the demo's agent, every second one the member's and the others the tenant's, each with a published version.
_AGENTS = """
    INSERT INTO agents (tenant_id, id, owner_member_id, definition, published, published_revision)
    SELECT tenant_id, uuidv7(), CASE WHEN n % 2 = 0 THEN owner_member_id END,
           definition || jsonb_build_object('name', 'Agent ' || n, 'pattern', 'shared_with_identity'), 1, 1
    FROM agents, generate_series(1, $2) AS n WHERE id = $1
"""
_PERSONAL = """
    INSERT INTO agents (tenant_id, id, owner_member_id, definition, published, published_revision)
    SELECT tenant_id, uuidv7(), owner_member_id,
           definition || '{"name": "Everyone''s own", "pattern": "personal"}', 1, 1
    FROM agents WHERE id = $1 RETURNING id
"""
_VERSIONS = """
    INSERT INTO agent_versions (tenant_id, agent_id, number, definition, published_by)
    SELECT tenant_id, id, 1, definition, 'operator:bench' FROM agents ON CONFLICT DO NOTHING
"""
_CONTACTS = """
    INSERT INTO contacts (tenant_id, id)
    SELECT tenant_id, uuidv7() FROM agents, generate_series(1, $2) WHERE id = $1
"""
_IDENTITIES = """
    INSERT INTO contact_identities (tenant_id, kind, hash, contact_id)
    SELECT tenant_id, 'external', sha256(id::text::bytea), id FROM contacts ON CONFLICT DO NOTHING
"""
_INSTANCES = """
    INSERT INTO personal_agents (tenant_id, agent_id, contact_id)
    SELECT tenant_id, $1, id FROM contacts LIMIT $2
"""
_CONVERSATIONS = """
    INSERT INTO conversations
        (tenant_id, id, agent_id, first_agent_id, owner_member_id, contact_id, channel, external_id)
    SELECT a.tenant_id, uuidv7(), a.id, a.id, a.owner_member_id, c.id, 'http', 'chat-1'
    FROM agents a, (SELECT id FROM contacts LIMIT $2) AS c WHERE a.id = $1
"""
_FILLED = "agents, agent_versions, contacts, contact_identities, personal_agents, conversations"
# One contact of so many has a conversation.
_SILENT = 10


@dataclass(frozen=True)
class Population:
    """What was made: half of the `agents` are agents, half are contacts' own instances of the one `personal` agent; a
    tenth of the `contacts` have a conversation."""

    agents: int
    contacts: int
    conversations: int
    personal: UUID
    took_s: float
    bytes: int


async def connect(home: Path) -> asyncpg.Connection:
    """A connection of the embedded server's superuser, for what no role of the product may do."""
    address = running_address(home, load_master_key(home, None).password("postgres"))
    assert address is not None
    return await address.connect()


async def populate(db: asyncpg.Connection, like: UUID, agents: int, contacts: int) -> Population:
    """Give the tenant of the agent `like` so many agents and contacts, and the planner its statistics."""
    began = time.perf_counter()
    before = await db.fetchval("SELECT pg_database_size(current_database())")
    # Rows that are right by how they are made need not be looked up one by one.
    await db.execute("SET session_replication_role = replica")
    await db.execute(_AGENTS, like, agents // 2)
    personal = await db.fetchval(_PERSONAL, like)
    await db.execute(_VERSIONS)
    await db.execute(_CONTACTS, like, contacts)
    await db.execute(_IDENTITIES)
    await db.execute(_INSTANCES, personal, agents // 2)
    await db.execute(_CONVERSATIONS, like, contacts // _SILENT)
    # What autovacuum and the checkpointer would do in their own time, and within the measurement. Not of all tables: of
    # one that is empty the planner would learn that it need not look for an index.
    await db.execute(f"VACUUM ANALYZE {_FILLED}")
    await db.execute("CHECKPOINT")
    size = await db.fetchval("SELECT pg_database_size(current_database())") - before
    return Population(agents, contacts, contacts // _SILENT, personal, time.perf_counter() - began, size)


async def some_agents(db: asyncpg.Connection, count: int) -> list[str]:
    """Any so many of the agents that were made."""
    rows = await db.fetch("SELECT id FROM agents WHERE name LIKE 'Agent %' ORDER BY random() LIMIT $1", count)
    return [str(row["id"]) for row in rows]
