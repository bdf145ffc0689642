"""Contacts and agents that are not in use: archived, restored, found when it is time to delete them."""

from datetime import datetime
from uuid import UUID

from tenantry.storage.tenancy import TenantTx

# The first half of the key of the advisory lock under which one process at a time cleans a tenant.
_CLEANING = 0x6C69_6665

# For a statement that reads an agent as `a` and a conversation as `c`: whether `used` has to be told of its use.
DORMANT = (
    "(a.archived_at IS NOT NULL OR a.seen_active_at < now() - interval '1 day' OR EXISTS (SELECT FROM contacts k "
    "WHERE k.tenant_id = c.tenant_id AND k.id = c.contact_id AND k.archived_at IS NOT NULL)) AS dormant"
)

# What counts as a contact's last use: its newest conversation's last word, or an appointment that is still to come.
_CONTACT_ACTIVE = (
    "greatest(k.seen_active_at, "
    "(SELECT max(c.updated_at) FROM conversations c WHERE c.tenant_id = k.tenant_id AND c.contact_id = k.id), "
    "(SELECT max(b.ends_at) FROM bookings b WHERE b.tenant_id = k.tenant_id AND b.contact_id = k.id "
    "AND b.status = 'confirmed'))"
)
# Agents that are there for other reasons than conversations of their own.
_AGENT_IS_NEEDED = "(a.is_template OR a.id = (SELECT t.active_agent_id FROM tenants t WHERE t.id = a.tenant_id))"


async def used(tx: TenantTx, agent_id: UUID, contact_id: UUID) -> None:
    """The agent and the contact are in use again, or for the first time today."""
    # A row that another transaction holds is left to that one: who talks holds the conversation, and must not wait.
    await tx.execute(
        "UPDATE contacts SET archived_at = NULL, seen_active_at = now() WHERE tenant_id = $1 AND id = ("
        "SELECT id FROM contacts WHERE tenant_id = $1 AND id = $2 AND archived_at IS NOT NULL "
        "FOR NO KEY UPDATE SKIP LOCKED)",
        tx.tenant_id,
        contact_id,
    )
    await tx.execute(
        "UPDATE agents SET archived_at = NULL, seen_active_at = now() WHERE tenant_id = $1 AND id = ("
        "SELECT id FROM agents WHERE tenant_id = $1 AND id = $2 FOR NO KEY UPDATE SKIP LOCKED)",
        tx.tenant_id,
        agent_id,
    )


async def hold_cleaning(tx: TenantTx) -> bool:
    """Be the only one who cleans the tenant until the transaction ends; False when another process does."""
    return await tx.value("SELECT pg_try_advisory_xact_lock($1, hashtext($2))", _CLEANING, str(tx.tenant_id))


# In the order of their index; a contact that somebody holds is in use.
IDLE_CONTACTS = (
    "SELECT id FROM contacts WHERE tenant_id = $1 AND archived_at IS NULL AND seen_active_at < $2 "
    "ORDER BY seen_active_at LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED"
)
# Those that were used meanwhile get a later moment and leave the range. The ids are an array, and not a join with the
# query above: for that, PostgreSQL may read the whole table.
SETTLE_CONTACTS = f"""
    WITH settled AS (
        UPDATE contacts k SET seen_active_at = a.active_at, archived_at = CASE WHEN a.active_at < $3 THEN now() END
        FROM (SELECT k.id, {_CONTACT_ACTIVE} AS active_at FROM contacts k
              WHERE k.tenant_id = $1 AND k.id = ANY($2)) AS a
        WHERE k.tenant_id = $1 AND k.id = a.id AND k.id = ANY($2) RETURNING k.archived_at
    )
    SELECT count(archived_at) FROM settled
"""


async def archive_contacts(tx: TenantTx, unused_since: datetime, limit: int) -> tuple[int, int]:
    """Archive contacts that were last used before this instant, of `limit` that are looked at: how many were looked at,
    and how many archived. None is left when fewer than `limit` were looked at."""
    idle = [row["id"] for row in await tx.rows(IDLE_CONTACTS, tx.tenant_id, unused_since, limit)]
    return len(idle), await tx.value(SETTLE_CONTACTS, tx.tenant_id, idle, unused_since) if idle else 0


async def archive_agents(tx: TenantTx, unused_since: datetime, limit: int) -> tuple[int, int]:
    """Archive agents that were last used or changed before this instant, as `archive_contacts` does contacts."""
    idle = await tx.rows(
        "SELECT id FROM agents WHERE tenant_id = $1 AND deleted_at IS NULL AND archived_at IS NULL "
        "AND seen_active_at < $2 ORDER BY seen_active_at LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED",
        tx.tenant_id,
        unused_since,
        limit,
    )
    archived = await tx.value(
        "WITH settled AS (UPDATE agents a SET seen_active_at = "
        f"CASE WHEN {_AGENT_IS_NEEDED} THEN now() ELSE greatest(a.seen_active_at, a.updated_at) END, "
        f"archived_at = CASE WHEN NOT {_AGENT_IS_NEEDED} AND a.updated_at < $3 THEN now() END "
        "WHERE a.tenant_id = $1 AND a.id = ANY($2) RETURNING a.archived_at) SELECT count(archived_at) FROM settled",
        tx.tenant_id,
        [row["id"] for row in idle],
        unused_since,
    )
    return len(idle), archived


async def contacts_to_delete(tx: TenantTx, unused_since: datetime, limit: int) -> list[UUID]:
    """Up to `limit` archived contacts that were last used before this instant, those unused the longest first; they are
    held until the transaction ends."""
    rows = await tx.rows(
        "SELECT id FROM contacts WHERE tenant_id = $1 AND archived_at IS NOT NULL AND seen_active_at < $2 "
        "ORDER BY seen_active_at LIMIT $3 FOR UPDATE SKIP LOCKED",
        tx.tenant_id,
        unused_since,
        limit,
    )
    return [row["id"] for row in rows]


async def still_unused(tx: TenantTx, contact_id: UUID, unused_since: datetime) -> bool:
    """Whether nothing has happened with the contact since this instant; where something has, it is restored. Only once
    it is locked with its conversations (repositories/erasure.py) does the answer last."""
    return not await tx.execute(
        f"UPDATE contacts k SET archived_at = NULL, seen_active_at = {_CONTACT_ACTIVE} "
        f"WHERE k.tenant_id = $1 AND k.id = $2 AND {_CONTACT_ACTIVE} >= $3",
        tx.tenant_id,
        contact_id,
        unused_since,
    )


async def agents_to_delete(tx: TenantTx, unused_since: datetime, limit: int) -> list[UUID]:
    """Up to `limit` archived agents that were last used before this instant; held until the transaction ends."""
    rows = await tx.rows(
        "SELECT id FROM agents a WHERE tenant_id = $1 AND deleted_at IS NULL AND archived_at IS NOT NULL "
        f"AND seen_active_at < $2 AND updated_at < $2 AND NOT {_AGENT_IS_NEEDED} "
        "ORDER BY seen_active_at LIMIT $3 FOR NO KEY UPDATE OF a SKIP LOCKED",
        tx.tenant_id,
        unused_since,
        limit,
    )
    return [row["id"] for row in rows]


async def count_unused_contacts(tx: TenantTx, unused_since: datetime, *, archived: bool | None) -> int:
    """How many contacts were last used before this instant: the archived ones, the others, or with None all."""
    return await tx.value(
        f"SELECT count(*) FROM contacts k WHERE k.tenant_id = $1 AND k.seen_active_at < $2 "
        f"AND ($3::boolean IS NULL OR (k.archived_at IS NOT NULL) = $3) AND {_CONTACT_ACTIVE} < $2",
        tx.tenant_id,
        unused_since,
        archived,
    )


async def count_unused_agents(tx: TenantTx, unused_since: datetime, *, archived: bool | None) -> int:
    """How many agents were last used before this instant, as `count_unused_contacts` counts contacts."""
    return await tx.value(
        "SELECT count(*) FROM agents a WHERE a.tenant_id = $1 AND a.deleted_at IS NULL "
        "AND greatest(a.seen_active_at, a.updated_at) < $2 "
        f"AND ($3::boolean IS NULL OR (a.archived_at IS NOT NULL) = $3) AND NOT {_AGENT_IS_NEEDED}",
        tx.tenant_id,
        unused_since,
        archived,
    )
