"""Where clones come from, and the clones of an agent."""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from tenantry.domain.agent import AgentDefinition
from tenantry.domain.origin import Clone, CloneUpdate, Origin
from tenantry.storage.repositories import agents
from tenantry.storage.tenancy import Row, TenantTx

_definition = msgspec.json.Decoder(AgentDefinition)

_ORIGIN = "o.template_agent_id, o.built_in, o.version AS taken_version, o.definition AS taken"


def _origin_from(row: Row) -> Origin:
    return Origin(row["template_agent_id"], row["built_in"], row["taken_version"], _definition.decode(row["taken"]))


async def record(tx: TenantTx, agent_id: UUID, origin: Origin) -> None:
    """Keep what a new agent is a clone of."""
    await tx.execute(
        "INSERT INTO agent_origins (tenant_id, agent_id, template_agent_id, built_in, version, definition) "
        "VALUES ($1, $2, $3, $4, $5, $6)",
        tx.tenant_id,
        agent_id,
        origin.template_agent_id,
        origin.built_in,
        origin.version,
        origin.definition,
    )


async def of_built_in_types(tx: TenantTx) -> dict[str, UUID]:
    """The tenant's own agents that were made from a built-in template, by its name; the oldest of each."""
    rows = await tx.rows(
        "SELECT DISTINCT ON (o.built_in) o.built_in, a.id FROM agent_origins o "
        "JOIN agents a ON a.tenant_id = o.tenant_id AND a.id = o.agent_id "
        "WHERE o.tenant_id = $1 AND o.built_in IS NOT NULL AND a.owner_member_id IS NULL AND a.deleted_at IS NULL "
        "ORDER BY o.built_in, a.id",
        tx.tenant_id,
    )
    return {row["built_in"]: row["id"] for row in rows}


_CLONE = f"""
    SELECT {agents.COLUMNS}, {_ORIGIN}, v.definition AS answers
    FROM agent_origins o
    JOIN agents a ON a.tenant_id = o.tenant_id AND a.id = o.agent_id
    LEFT JOIN agent_versions v ON v.tenant_id = a.tenant_id AND v.agent_id = a.id AND v.number = a.published
        AND a.published_revision <> a.revision
    WHERE o.tenant_id = $1 AND o.agent_id = ANY($2::uuid[]) ORDER BY o.agent_id
"""


def _clone_from(row: Row) -> Clone:
    answers = row["answers"]
    return Clone(agents.record_from(row), _origin_from(row), None if answers is None else _definition.decode(answers))


async def get(tx: TenantTx, agent_id: UUID) -> Clone | None:
    """The agent with its origin; None when it is no clone."""
    row = await tx.row(_CLONE, tx.tenant_id, [agent_id])
    return _clone_from(row) if row else None


# $2 and $3 are the source, $4 the member whose agents, besides those that they may edit, are all that is meant.
_LOCK_CLONES = """
    SELECT a.id FROM agent_origins o JOIN agents a ON a.tenant_id = o.tenant_id AND a.id = o.agent_id
    WHERE o.tenant_id = $1 AND (o.template_agent_id = $2 OR o.built_in = $3) AND a.deleted_at IS NULL
      AND ($4::uuid IS NULL OR a.owner_member_id = $4 OR EXISTS (
          SELECT FROM agent_shares s WHERE s.tenant_id = a.tenant_id AND s.agent_id = a.id AND s.member_id = $4
          AND s.permission = 'edit'))
      AND ($5::uuid IS NULL OR a.id > $5)
    ORDER BY a.id LIMIT $6 FOR NO KEY UPDATE OF a
"""


async def lock_clones(
    tx: TenantTx, source: Origin, *, changes_only: UUID | None, after: UUID | None, limit: int
) -> list[Clone]:
    """Up to `limit` clones of the source in the order of their ids, after that of `after`; nobody else changes them
    until the transaction ends. With `changes_only`, those that this member may change."""
    locked = await tx.rows(
        _LOCK_CLONES, tx.tenant_id, source.template_agent_id, source.built_in, changes_only, after, limit
    )
    # Read only once they are locked: all of it is then of one and the newest state.
    rows = await tx.rows(_CLONE, tx.tenant_id, [row["id"] for row in locked])
    return [_clone_from(row) for row in rows]


# What each of these statements is given of every update, as $2.
_GIVEN = (
    "jsonb_to_recordset($2::jsonb) AS g "
    "(agent_id uuid, draft jsonb, published jsonb, revision integer, published_revision integer, note text)"
)
_STORE_DRAFTS = f"""
    UPDATE agents a SET definition = g.draft, revision = g.revision, updated_at = now() FROM {_GIVEN}
    WHERE a.tenant_id = $1 AND a.id = g.agent_id AND a.revision <> g.revision
"""
_STORE_VERSIONS = f"""
    WITH made AS (
        INSERT INTO agent_versions (tenant_id, agent_id, number, definition, note, published_by)
        SELECT $1, g.agent_id, (SELECT max(v.number) + 1 FROM agent_versions v
            WHERE v.tenant_id = $1 AND v.agent_id = g.agent_id), g.published, g.note, $3
        FROM {_GIVEN} WHERE g.published IS NOT NULL
        RETURNING agent_id, number
    )
    UPDATE agents a SET published = made.number, published_revision = g.published_revision
    FROM made JOIN {_GIVEN} ON g.agent_id = made.agent_id
    WHERE a.tenant_id = $1 AND a.id = made.agent_id
"""
_STORE_ORIGINS = """
    UPDATE agent_origins SET version = $3, definition = $4 WHERE tenant_id = $1 AND agent_id = ANY($2::uuid[])
"""


async def store(tx: TenantTx, updates: Sequence[CloneUpdate], newest: Origin, *, by: str, note: str) -> None:
    """Keep these updates to `newest` of clones that are locked: drafts, versions, and what they took last."""
    given = [_given(update, note) for update in updates if update.changes]
    if given:
        await tx.execute(_STORE_DRAFTS, tx.tenant_id, given)
        await tx.execute(_STORE_VERSIONS, tx.tenant_id, given, by)
    await tx.execute(
        _STORE_ORIGINS, tx.tenant_id, [each.clone.agent.id for each in updates], newest.version, newest.definition
    )


def _given(update: CloneUpdate, note: str) -> dict[str, object]:
    revision = update.clone.agent.revision + update.changes_draft
    return {
        "agent_id": update.clone.agent.id,
        "draft": update.draft,
        "published": update.published,
        "revision": revision,
        # What is published without being the draft leaves that as one that has changes to publish.
        "published_revision": revision if update.published == update.draft else 0,
        "note": note,
    }
