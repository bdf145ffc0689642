"""How long a tenant keeps what is not in use."""

from uuid import UUID

from tenantry.domain.lifecycle import Retention, TenantRetention
from tenantry.storage.tenancy import Row, TenantTx

_COLUMNS = "contacts_archive_days, contacts_delete_days, agents_archive_days, agents_delete_days"


def _retention_from(row: Row) -> TenantRetention:
    return TenantRetention(
        contacts=Retention(row["contacts_archive_days"], row["contacts_delete_days"]),
        agents=Retention(row["agents_archive_days"], row["agents_delete_days"]),
    )


async def current(tx: TenantTx) -> TenantRetention:
    """What the transaction's tenant has set."""
    return _retention_from(await tx.one(f"SELECT {_COLUMNS} FROM tenants WHERE id = $1", tx.tenant_id))


async def put(tx: TenantTx, wanted: TenantRetention) -> None:
    """Replace what the tenant has set."""
    await tx.execute(
        "UPDATE tenants SET contacts_archive_days = $2, contacts_delete_days = $3, agents_archive_days = $4, "
        "agents_delete_days = $5 WHERE id = $1",
        tx.tenant_id,
        wanted.contacts.archive_after_days,
        wanted.contacts.delete_after_days,
        wanted.agents.archive_after_days,
        wanted.agents.delete_after_days,
    )


async def of_tenants(tx: TenantTx, only: UUID | None = None) -> dict[UUID, TenantRetention]:
    """The tenants that keep something for a set time only, by the operator; of one tenant when it is given."""
    rows = await tx.rows(
        f"SELECT id, {_COLUMNS} FROM tenants WHERE ($1::uuid IS NULL OR id = $1) "
        "AND (contacts_archive_days IS NOT NULL OR agents_archive_days IS NOT NULL) ORDER BY id",
        only,
    )
    return {row["id"]: _retention_from(row) for row in rows}
