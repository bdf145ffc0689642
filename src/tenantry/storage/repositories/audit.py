"""The audit log: who did what to which thing; written once, never changed."""

from collections.abc import Mapping, Sequence
from typing import Any

from tenantry.domain.ids import new_id
from tenantry.storage.tenancy import TenantTx


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
