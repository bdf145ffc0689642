"""The audit log: who did what to which thing; written once, never changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from tenantry.domain.ids import new_id
from tenantry.storage.tenancy import Row, TenantTx

_details = msgspec.json.Decoder(dict[str, Any])


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One thing that was done; `actor` and `target` are `kind:id`."""

    id: UUID
    at: datetime
    actor: str
    action: str
    target: str
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries are meant; what is None is not asked for. At or after `begins`, before `ends`."""

    actor: str | None = None
    action: str | None = None
    target: str | None = None
    begins: datetime | None = None
    ends: datetime | None = None


async def record(
    tx: TenantTx, *, actor: str, action: str, target: str, details: Mapping[str, Any] | None = None
) -> None:
    """Add an entry. `actor` and `target` are `kind:id`; `details` holds no secret and no personal data."""
    await tx.execute(
        "INSERT INTO audit_log (tenant_id, id, actor, action, target, details) VALUES ($1, $2, $3, $4, $5, $6)",
        tx.tenant_id,
        new_id(),
        actor,
        action,
        target,
        dict(details or {}),
    )


async def effects(tx: TenantTx, *, action: str, target: str, within: timedelta) -> int:
    """How many effects of turns did this to the target of late; one that was made again counts once."""
    return await tx.value(
        "SELECT count(DISTINCT details ->> 'effect_key') FROM audit_log WHERE tenant_id = $1 AND target = $2 "
        "AND action = $3 AND at > clock_timestamp() - $4::interval",
        tx.tenant_id,
        target,
        action,
        within,
    )


async def list_page(tx: TenantTx, *, matching: AuditFilter, before: UUID | None, limit: int) -> list[AuditEntry]:
    """Up to `limit` entries that match, newest first, made before the one with id `before`."""
    rows = await tx.rows(
        "SELECT id, at, actor, action, target, details FROM audit_log WHERE tenant_id = $1 "
        "AND ($2::uuid IS NULL OR id < $2) AND ($4::text IS NULL OR actor = $4) AND ($5::text IS NULL OR action = $5) "
        "AND ($6::text IS NULL OR target = $6) AND ($7::timestamptz IS NULL OR at >= $7) "
        "AND ($8::timestamptz IS NULL OR at < $8) ORDER BY id DESC LIMIT $3",
        tx.tenant_id,
        before,
        limit,
        matching.actor,
        matching.action,
        matching.target,
        matching.begins,
        matching.ends,
    )
    return [_entry_from(row) for row in rows]


def _entry_from(row: Row) -> AuditEntry:
    return AuditEntry(row["id"], row["at"], row["actor"], row["action"], row["target"], _details.decode(row["details"]))


async def record_all(
    tx: TenantTx, *, actor: str, action: str, entries: Sequence[tuple[str, Mapping[str, Any]]]
) -> None:
    """Add an entry for each of these targets with its details, as `record` does for one."""
    await tx.execute(
        "INSERT INTO audit_log (tenant_id, id, actor, action, target, details) SELECT $1, g.id, $3, $4, g.target, "
        "g.details FROM jsonb_to_recordset($2::jsonb) AS g (id uuid, target text, details jsonb)",
        tx.tenant_id,
        [{"id": new_id(), "target": target, "details": dict(details)} for target, details in entries],
        actor,
        action,
    )
