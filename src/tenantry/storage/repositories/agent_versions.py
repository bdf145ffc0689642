"""The versions of agents: what was published, and what answers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from tenantry.domain.agent import AgentDefinition, AgentRecord, AgentVersion
from tenantry.storage.repositories import agents
from tenantry.storage.repositories.agents import VISIBLE
from tenantry.storage.tenancy import Row, TenantTx

_COLUMNS = "v.number, v.definition, v.note, v.restores, v.published_by, v.published_at"
_definition = msgspec.json.Decoder(AgentDefinition)
_changes = msgspec.json.Decoder(dict[str, Any])


@dataclass(frozen=True, slots=True)
class Serving:
    """Which version of an agent answers, and for a personal instance what differs from it. `version` is None while
    nothing was published; `contact_id` is whose the instance is, None where there is none."""

    tenant_id: UUID
    agent_id: UUID
    owner_member_id: UUID | None
    version: int | None
    contact_id: UUID | None = None
    own_since: datetime | None = None
    changes: dict[str, Any] | None = None


# For a statement that reads an agent as `a`, a conversation as `c` and, by `JOIN_INSTANCE`, the contact's own instance.
# The owner is the conversation's: an agent that was handed over meanwhile goes on acting for whom it was begun.
SERVING_COLUMNS = (
    "a.id AS agent_id, c.owner_member_id, coalesce(c.version, a.published) AS serving_version, "
    "p.contact_id AS instance_of, p.updated_at AS own_since, p.changes"
)
JOIN_INSTANCE = (
    "LEFT JOIN personal_agents p ON p.tenant_id = c.tenant_id AND p.agent_id = c.agent_id "
    "AND p.contact_id = c.contact_id"
)


def serving_from(row: Row, tenant_id: UUID) -> Serving:
    """What answers in the conversation of a row with `SERVING_COLUMNS`."""
    instance_of = row["instance_of"]
    return Serving(
        tenant_id=tenant_id,
        agent_id=row["agent_id"],
        owner_member_id=row["owner_member_id"],
        version=row["serving_version"],
        contact_id=instance_of,
        own_since=row["own_since"],
        changes=_changes.decode(row["changes"]) if instance_of else None,
    )


def _version_from(row: Row) -> AgentVersion:
    return AgentVersion(
        number=row["number"],
        definition=_definition.decode(row["definition"]),
        note=row["note"],
        restores=row["restores"],
        published_by=row["published_by"],
        published_at=row["published_at"],
    )


async def serving(tx: TenantTx, agent_id: UUID, *, sees_only: UUID | None) -> Serving | None:
    """What answers in a conversation that begins now with this agent, when it may be seen."""
    row = await tx.row(
        f"SELECT a.id, a.owner_member_id, a.published FROM agents a WHERE {VISIBLE} AND a.id = $3",
        tx.tenant_id,
        sees_only,
        agent_id,
    )
    return Serving(tx.tenant_id, row["id"], row["owner_member_id"], row["published"]) if row else None


async def publish(
    tx: TenantTx,
    agent: AgentRecord,
    definition: AgentDefinition,
    *,
    by: str,
    note: str = "",
    restores: int | None = None,
) -> AgentRecord:
    """Make this definition the agent's next version, which answers from now on. The agent must be locked, or new."""
    number = await tx.value(
        "INSERT INTO agent_versions (tenant_id, agent_id, number, definition, note, restores, published_by) "
        "SELECT $1, $2, coalesce(max(number), 0) + 1, $3, $4, $5, $6 FROM agent_versions "
        "WHERE tenant_id = $1 AND agent_id = $2 RETURNING number",
        tx.tenant_id,
        agent.id,
        definition,
        note,
        restores,
        by,
    )
    # Another definition than the draft leaves that as one that has changes to publish.
    of_draft = agent.revision if definition == agent.definition else 0
    await tx.execute(
        "UPDATE agents SET published = $3, published_revision = $4, seen_active_at = now(), archived_at = NULL "
        "WHERE tenant_id = $1 AND id = $2",
        tx.tenant_id,
        agent.id,
        number,
        of_draft,
    )
    return replace(agent, published=number, published_revision=of_draft)


async def create_published(
    tx: TenantTx,
    definition: AgentDefinition,
    owner_member_id: UUID | None,
    agent_id: UUID | None = None,
    *,
    by: str,
    tags: Sequence[str] = (),
) -> AgentRecord:
    """A new agent whose first version answers at once."""
    return await publish(
        tx, await agents.create(tx, definition, owner_member_id, agent_id, tags=tags), definition, by=by
    )


async def get(tx: TenantTx, agent_id: UUID, number: int) -> AgentVersion | None:
    """One version of an agent."""
    row = await tx.row(
        f"SELECT {_COLUMNS} FROM agent_versions v WHERE tenant_id = $1 AND agent_id = $2 AND number = $3",
        tx.tenant_id,
        agent_id,
        number,
    )
    return _version_from(row) if row else None


async def definition(tx: TenantTx, agent_id: UUID, number: int) -> AgentDefinition:
    """What a version of an agent is."""
    return _definition.decode(
        await tx.value(
            "SELECT definition FROM agent_versions WHERE tenant_id = $1 AND agent_id = $2 AND number = $3",
            tx.tenant_id,
            agent_id,
            number,
        )
    )


async def list_page(tx: TenantTx, agent_id: UUID, *, before: int | None, limit: int) -> list[AgentVersion]:
    """Up to `limit` versions of an agent, newest first, older than number `before`."""
    rows = await tx.rows(
        f"SELECT {_COLUMNS} FROM agent_versions v WHERE tenant_id = $1 AND agent_id = $2 "
        "AND ($3::integer IS NULL OR number < $3) ORDER BY number DESC LIMIT $4",
        tx.tenant_id,
        agent_id,
        before,
        limit,
    )
    return [_version_from(row) for row in rows]
