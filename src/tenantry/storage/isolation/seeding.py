"""What the proof of isolation makes that no other part of the product does."""

from uuid import UUID

from tenantry.storage.tenancy import TenantTx


async def remove_member(tx: TenantTx, member_id: UUID) -> None:
    """End a membership, by the operator; what the member owned stays."""
    await tx.execute("UPDATE members SET removed_at = now() WHERE tenant_id = $1 AND id = $2", tx.tenant_id, member_id)


async def claim_step(tx: TenantTx, turn_id: UUID, step: int, name: str) -> None:
    """Claim a tool call of a turn that is long done, anew each time, so that a tool which asks for its claim runs."""
    await tx.execute(
        "INSERT INTO tool_calls (tenant_id, turn_id, step, name, arguments, status) "
        "VALUES ($1, $2, $3, $4, '{}', 'claimed') ON CONFLICT (tenant_id, turn_id, step) DO UPDATE "
        "SET name = excluded.name, status = 'claimed', output = NULL",
        tx.tenant_id,
        turn_id,
        step,
        name,
    )


async def count_audited(tx: TenantTx, action: str) -> int:
    """How often the audit log of the tenant has this action."""
    return await tx.value("SELECT count(*) FROM audit_log WHERE tenant_id = $1 AND action = $2", tx.tenant_id, action)
