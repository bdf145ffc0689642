"""Contacts' own instances of agents."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from tenantry.storage.tenancy import Row, TenantTx

_COLUMNS = "contact_id, revision, changes, created_at, updated_at"
_changes = msgspec.json.Decoder(dict[str, Any])


@dataclass(frozen=True, slots=True)
class PersonalAgent:
    """A contact's own instance of an agent; `changes` is what differs from the agent, as a patch of its definition."""

    contact_id: UUID
    revision: int
    changes: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime


def _personal_from(row: Row) -> PersonalAgent:
    return PersonalAgent(
        row["contact_id"], row["revision"], _changes.decode(row["changes"]), row["created_at"], row["updated_at"]
    )


async def make(tx: TenantTx, agent_id: UUID, contact_id: UUID) -> PersonalAgent:
    """The contact's instance of the agent, made when there is none."""
    await tx.execute(
        "INSERT INTO personal_agents (tenant_id, agent_id, contact_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        tx.tenant_id,
        agent_id,
        contact_id,
    )
    row = await tx.one(
        f"SELECT {_COLUMNS} FROM personal_agents WHERE tenant_id = $1 AND agent_id = $2 AND contact_id = $3",
        tx.tenant_id,
        agent_id,
        contact_id,
    )
    return _personal_from(row)


async def get(tx: TenantTx, agent_id: UUID, contact_id: UUID) -> PersonalAgent | None:
    """The contact's instance of the agent."""
    row = await tx.row(
        f"SELECT {_COLUMNS} FROM personal_agents WHERE tenant_id = $1 AND agent_id = $2 AND contact_id = $3",
        tx.tenant_id,
        agent_id,
        contact_id,
    )
    return _personal_from(row) if row else None


async def list_page(tx: TenantTx, agent_id: UUID, *, after: UUID | None, limit: int) -> list[PersonalAgent]:
    """Up to `limit` instances of an agent in the order of their contacts' ids, after that of `after`."""
    rows = await tx.rows(
        f"SELECT {_COLUMNS} FROM personal_agents WHERE tenant_id = $1 AND agent_id = $2 "
        "AND ($3::uuid IS NULL OR contact_id > $3) ORDER BY contact_id LIMIT $4",
        tx.tenant_id,
        agent_id,
        after,
        limit,
    )
    return [_personal_from(row) for row in rows]


async def change(
    tx: TenantTx, agent_id: UUID, contact_id: UUID, changes: Mapping[str, Any], *, revision: int
) -> PersonalAgent | None:
    """Let the instance that was read with this revision differ from its agent by this patch and no more; None when it
    was changed since."""
    row = await tx.row(
        "UPDATE personal_agents SET changes = $4, revision = revision + 1, updated_at = now() "
        "WHERE tenant_id = $1 AND agent_id = $2 AND contact_id = $3 AND revision = $5 "
        f"RETURNING {_COLUMNS}",
        tx.tenant_id,
        agent_id,
        contact_id,
        dict(changes),
        revision,
    )
    return _personal_from(row) if row else None


async def delete(tx: TenantTx, agent_id: UUID, contact_id: UUID) -> bool:
    """Remove the contact's instance of the agent; whether it was there."""
    query = "DELETE FROM personal_agents WHERE tenant_id = $1 AND agent_id = $2 AND contact_id = $3"
    return bool(await tx.execute(query, tx.tenant_id, agent_id, contact_id))
