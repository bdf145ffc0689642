"""Agents and their drafts."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import msgspec

from tenantry.domain.agent import AgentDefinition, AgentRecord
from tenantry.domain.ids import new_id
from tenantry.storage.tenancy import Row, TenantTx

_COLUMNS = (
    "a.tenant_id, a.id, a.owner_member_id, a.revision, a.definition, a.published, a.published_revision, a.tags, "
    "a.is_template, a.created_at, a.updated_at, a.archived_at"
)
_definition = msgspec.json.Decoder(AgentDefinition)

# $2 is the member whose agents, besides the tenant's own and those that are shared with them, are all that may be seen;
# NULL sees the whole tenant.
VISIBLE = (
    "a.tenant_id = $1 AND a.deleted_at IS NULL AND ($2::uuid IS NULL OR a.owner_member_id IS NULL "
    "OR a.owner_member_id = $2 OR EXISTS (SELECT FROM agent_shares s "
    "WHERE s.tenant_id = a.tenant_id AND s.agent_id = a.id AND s.member_id = $2))"
)


@dataclass(frozen=True, slots=True)
class AgentFilter:
    """Which agents are meant; what is None or empty is not asked for. `tags` must all be there; `owner_member_id` is
    of the owner, the tenant's own with `tenants_own`; with `archived`, archived ones are meant too."""

    tags: tuple[str, ...] = ()
    owner_member_id: UUID | None = None
    tenants_own: bool = False
    name: str | None = None
    is_template: bool | None = None
    ids: tuple[UUID, ...] | None = None
    archived: bool = False


def _record_from(row: Row) -> AgentRecord:
    return AgentRecord(
        tenant_id=row["tenant_id"],
        id=row["id"],
        owner_member_id=row["owner_member_id"],
        revision=row["revision"],
        definition=_definition.decode(row["definition"]),
        published=row["published"],
        published_revision=row["published_revision"],
        tags=tuple(row["tags"]),
        is_template=row["is_template"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        archived_at=row["archived_at"],
    )


async def get(tx: TenantTx, agent_id: UUID, *, sees_only: UUID | None, lock: bool = False) -> AgentRecord | None:
    """The agent, when it may be seen; with `lock`, nobody else changes it until the transaction ends."""
    row = await tx.row(
        f"SELECT {_COLUMNS} FROM agents a WHERE {VISIBLE} AND a.id = $3" + (" FOR NO KEY UPDATE OF a" if lock else ""),
        tx.tenant_id,
        sees_only,
        agent_id,
    )
    return _record_from(row) if row else None


async def list_page(
    tx: TenantTx,
    *,
    sees_only: UUID | None,
    before: UUID | None = None,
    limit: int,
    matching: AgentFilter = AgentFilter(),
) -> list[AgentRecord]:
    """Up to `limit` agents that may be seen and match, newest first, made before the one with id `before`."""
    rows = await tx.rows(
        f"SELECT {_COLUMNS} FROM agents a WHERE {VISIBLE} AND ($3::uuid IS NULL OR a.id < $3) "
        "AND a.tags @> $5::text[] AND ($6::uuid IS NULL OR a.owner_member_id = $6) "
        "AND (NOT $7 OR a.owner_member_id IS NULL) AND ($8::text IS NULL OR a.name = $8) "
        "AND ($9::boolean IS NULL OR a.is_template = $9) AND ($10::uuid[] IS NULL OR a.id = ANY($10)) "
        "AND ($11 OR a.archived_at IS NULL) "
        "ORDER BY a.id DESC LIMIT $4",
        tx.tenant_id,
        sees_only,
        before,
        limit,
        list(matching.tags),
        matching.owner_member_id,
        matching.tenants_own,
        matching.name,
        matching.is_template,
        None if matching.ids is None else list(matching.ids),
        matching.archived,
    )
    return [_record_from(row) for row in rows]


async def create(
    tx: TenantTx,
    definition: AgentDefinition,
    owner_member_id: UUID | None,
    agent_id: UUID | None = None,
    *,
    tags: Sequence[str] = (),
    is_template: bool = False,
) -> AgentRecord:
    """A new agent of a member or, with no owner, of the tenant; a draft until it is published."""
    row = await tx.one(
        "INSERT INTO agents AS a (tenant_id, id, owner_member_id, definition, tags, is_template) "
        f"VALUES ($1, $2, $3, $4, $5, $6) RETURNING {_COLUMNS}",
        tx.tenant_id,
        agent_id or new_id(),
        owner_member_id,
        definition,
        list(tags),
        is_template,
    )
    return _record_from(row)


async def change(tx: TenantTx, agent_id: UUID, definition: AgentDefinition, *, revision: int) -> AgentRecord | None:
    """Put a new draft in the place of the one with this revision; None when that is no longer the newest."""
    row = await tx.row(
        "UPDATE agents a SET definition = $3, revision = revision + 1, updated_at = now(), "
        "seen_active_at = now(), archived_at = NULL "
        f"WHERE tenant_id = $1 AND id = $2 AND revision = $4 AND deleted_at IS NULL RETURNING {_COLUMNS}",
        tx.tenant_id,
        agent_id,
        definition,
        revision,
    )
    return _record_from(row) if row else None


async def set_tags(tx: TenantTx, agent_id: UUID, tags: Sequence[str]) -> None:
    """Give the agent these tags and no others."""
    await tx.execute(
        "UPDATE agents SET tags = $3, updated_at = now() WHERE tenant_id = $1 AND id = $2",
        tx.tenant_id,
        agent_id,
        list(tags),
    )


async def set_owner(tx: TenantTx, agent_id: UUID, owner_member_id: UUID | None) -> None:
    """Hand the agent over to another member or, with None, to the tenant."""
    await tx.execute(
        "UPDATE agents SET owner_member_id = $3, updated_at = now() WHERE tenant_id = $1 AND id = $2",
        tx.tenant_id,
        agent_id,
        owner_member_id,
    )


async def delete(tx: TenantTx, agent_id: UUID) -> None:
    """Take the agent out of use; its conversations and bookings stay."""
    # The tenant before the agent, as where the configuration is changed.
    await tx.execute(
        "UPDATE tenants SET active_agent_id = NULL WHERE id = $1 AND active_agent_id = $2", tx.tenant_id, agent_id
    )
    await tx.execute(
        "UPDATE agents SET deleted_at = now() WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL",
        tx.tenant_id,
        agent_id,
    )
