"""A tenant's rules on which agent a conversation goes to, and what came of those who went by them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from tenantry.domain.routing import AgentVersions, RuleSet, Target, VariantCounts
from tenantry.storage.repositories.agents import VISIBLE
from tenantry.storage.tenancy import Row, TenantTx

_rules = msgspec.json.Decoder(RuleSet)
_COLUMNS = "revision, rules, updated_at"


@dataclass(frozen=True, slots=True)
class StoredRules:
    """A tenant's rules; `revision` counts their changes, 0 and without `updated_at` where none were ever set."""

    revision: int
    rules: RuleSet
    updated_at: datetime | None


_NONE = StoredRules(0, RuleSet(), None)


def _stored_from(row: Row) -> StoredRules:
    return StoredRules(row["revision"], _rules.decode(row["rules"]), row["updated_at"])


async def get(tx: TenantTx) -> StoredRules:
    """The tenant's rules."""
    row = await tx.row(f"SELECT {_COLUMNS} FROM routing WHERE tenant_id = $1", tx.tenant_id)
    return _stored_from(row) if row else _NONE


_FIRST = f"""
    INSERT INTO routing (tenant_id, rules) SELECT $1, $2 WHERE $3 = 0 ON CONFLICT (tenant_id) DO NOTHING
    RETURNING {_COLUMNS}
"""
_NEXT = f"""
    UPDATE routing SET rules = $2, revision = revision + 1, updated_at = now() WHERE tenant_id = $1 AND revision = $3
    RETURNING {_COLUMNS}
"""


async def put(tx: TenantTx, rules: RuleSet, *, revision: int) -> StoredRules | None:
    """Put these rules in the place of those with this revision, 0 where there are none; None when they were changed
    since. Processes see them once `tenants.raise_settings_stamp` is called too."""
    row = await tx.row(_NEXT if revision else _FIRST, tx.tenant_id, rules, revision)
    return _stored_from(row) if row else None


async def agents_of(
    tx: TenantTx, targets: Collection[Target], *, sees_only: UUID | None, every_version: bool = False
) -> AgentVersions:
    """The agents of these targets that there are and that may be seen, each with those of its versions that the
    targets name, and the one that answers; none for an agent that was never published. With `every_version`, with all
    of them."""
    if not targets:
        return {}
    rows = await tx.rows(
        "SELECT a.id, a.published, ARRAY(SELECT v.number FROM agent_versions v WHERE v.tenant_id = a.tenant_id "
        "AND v.agent_id = a.id AND ($5 OR v.number = ANY($4))) AS named "
        f"FROM agents a WHERE {VISIBLE} AND a.id = ANY($3)",
        tx.tenant_id,
        sees_only,
        list({target.agent_id for target in targets}),
        list({target.version for target in targets if target.version is not None}),
        every_version,
    )
    return {row["id"]: {row["published"], *row["named"]} - {None} for row in rows}


# Completed: nothing that the agent needs to know is missing, and something is known; or an appointment was made.
# Escalated: handed over to another agent, or its `escalation_needed` was told in any turn.
_RESULTS = """
    SELECT variant, count(*) AS conversations,
           count(*) FILTER (WHERE booked OR (collected AND missing = '[]')) AS completed,
           count(*) FILTER (WHERE booked) AS booked,
           count(*) FILTER (WHERE escalated) AS escalated
    FROM (
        SELECT c.routing ->> 'variant' AS variant,
               c.known <> '{}' AS collected,
               (SELECT t.result -> 'missing' FROM turns t WHERE t.tenant_id = $1 AND t.conversation_id = c.id
                AND t.status = 'done' ORDER BY t.number DESC LIMIT 1) AS missing,
               EXISTS (SELECT FROM bookings b WHERE b.tenant_id = $1 AND b.contact_id = c.contact_id
                       AND b.conversation_id = c.id AND b.status = 'confirmed') AS booked,
               c.hand_offs > 0 OR EXISTS (
                   SELECT FROM turns t WHERE t.tenant_id = $1 AND t.conversation_id = c.id
                   AND t.result -> 'fields' -> 'escalation_needed' = 'true') AS escalated
        FROM conversations c
        WHERE c.tenant_id = $1 AND c.routing ->> 'rule' = $2 AND c.routing ->> 'variant' IS NOT NULL
          AND ($3::timestamptz IS NULL OR c.created_at >= $3)
    ) AS begun
    GROUP BY variant ORDER BY variant
"""


async def results(tx: TenantTx, rule: str, since: datetime | None) -> list[VariantCounts]:
    """What came of the conversations that each variant of the rule got, of those that began at `since` (aware) or
    later; by the variants' names."""
    rows = await tx.rows(_RESULTS, tx.tenant_id, rule, since)
    return [VariantCounts(*row.values()) for row in rows]
