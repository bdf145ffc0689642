"""Web sites that open calls from browsers."""

from collections.abc import Sequence
from uuid import UUID

from tenantry.domain.call import Site
from tenantry.domain.ids import new_id
from tenantry.storage.tenancy import Row, TenantTx

_COLUMNS = "id, name, public_key, origins, agent_ids, created_at"


def _site_from(row: Row, tenant_id: UUID) -> Site:
    return Site(
        tenant_id=tenant_id,
        id=row["id"],
        name=row["name"],
        public_key=row["public_key"],
        origins=tuple(row["origins"]),
        agent_ids=tuple(row["agent_ids"]),
        created_at=row["created_at"],
    )


async def create(
    tx: TenantTx, name: str, public_key: str, origins: Sequence[str], agent_ids: Sequence[UUID] = ()
) -> Site:
    """Keep a new site."""
    row = await tx.one(
        "INSERT INTO sites (tenant_id, id, name, public_key, origins, agent_ids) VALUES ($1, $2, $3, $4, $5, $6) "
        f"RETURNING {_COLUMNS}",
        tx.tenant_id,
        new_id(),
        name,
        public_key,
        list(origins),
        list(agent_ids),
    )
    return _site_from(row, tx.tenant_id)


async def change(
    tx: TenantTx, site_id: UUID, name: str, origins: Sequence[str], agent_ids: Sequence[UUID]
) -> Site | None:
    """What a site may do from now on; None when there is none with that id."""
    row = await tx.row(
        "UPDATE sites SET name = $3, origins = $4, agent_ids = $5 WHERE tenant_id = $1 AND id = $2 "
        f"RETURNING {_COLUMNS}",
        tx.tenant_id,
        site_id,
        name,
        list(origins),
        list(agent_ids),
    )
    return _site_from(row, tx.tenant_id) if row else None


async def find(tx: TenantTx, public_key: str) -> Site | None:
    """The site of this public key."""
    row = await tx.row(
        f"SELECT {_COLUMNS} FROM sites WHERE tenant_id = $1 AND public_key = $2", tx.tenant_id, public_key
    )
    return _site_from(row, tx.tenant_id) if row else None


async def get(tx: TenantTx, site_id: UUID) -> Site | None:
    """The site of this id."""
    row = await tx.row(f"SELECT {_COLUMNS} FROM sites WHERE tenant_id = $1 AND id = $2", tx.tenant_id, site_id)
    return _site_from(row, tx.tenant_id) if row else None


async def list_all(tx: TenantTx) -> Sequence[Site]:
    """All sites of the tenant, the newest first."""
    rows = await tx.rows(f"SELECT {_COLUMNS} FROM sites WHERE tenant_id = $1 ORDER BY id DESC", tx.tenant_id)
    return [_site_from(row, tx.tenant_id) for row in rows]


async def remove(tx: TenantTx, site_id: UUID) -> bool:
    """Remove a site: its key opens no more calls; False when there is none with that id."""
    return await tx.execute("DELETE FROM sites WHERE tenant_id = $1 AND id = $2", tx.tenant_id, site_id) == 1
