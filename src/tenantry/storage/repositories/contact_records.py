"""Contacts as those who look after them see them."""

from collections.abc import Sequence
from uuid import UUID

from tenantry.domain.lifecycle import Contact
from tenantry.storage.repositories.conversations import SEEN
from tenantry.storage.tenancy import Row, TenantTx

# $2 is the member who sees those contacts alone with whom there is a conversation that they see; NULL sees all.
_CONTACT = (
    "SELECT k.id, k.created_at, k.archived_at, k.tags, t.conversations, "
    "greatest(k.created_at, t.last_at) AS last_active FROM contacts k CROSS JOIN LATERAL ("
    f"SELECT count(*) AS conversations, max(c.updated_at) AS last_at {SEEN} AND c.contact_id = k.id) t "
    "WHERE k.tenant_id = $1"
)
_SEEN_BY_MEMBER = f"{_CONTACT} AND k.id IN (SELECT c.contact_id {SEEN})"


def _contacts(sees_only: UUID | None) -> str:
    return _CONTACT if sees_only is None else _SEEN_BY_MEMBER


def _contact_from(row: Row) -> Contact:
    return Contact(
        id=row["id"],
        created_at=row["created_at"],
        last_active=row["last_active"],
        archived_at=row["archived_at"],
        tags=tuple(row["tags"]),
        conversations=row["conversations"],
    )


async def get(tx: TenantTx, contact_id: UUID, *, sees_only: UUID | None) -> Contact | None:
    """The contact, when it may be seen."""
    row = await tx.row(f"{_contacts(sees_only)} AND k.id = $3", tx.tenant_id, sees_only, contact_id)
    return _contact_from(row) if row else None


async def list_page(
    tx: TenantTx,
    *,
    sees_only: UUID | None,
    before: UUID | None,
    limit: int,
    tag: str | None = None,
    archived: bool = False,
) -> list[Contact]:
    """Up to `limit` contacts that may be seen, the newest first, met before the one with id `before`; with `archived`,
    archived ones too."""
    rows = await tx.rows(
        f"{_contacts(sees_only)} AND ($3::uuid IS NULL OR k.id < $3) AND ($4::text IS NULL OR k.tags @> ARRAY[$4]) "
        "AND ($5 OR k.archived_at IS NULL) ORDER BY k.id DESC LIMIT $6",
        tx.tenant_id,
        sees_only,
        before,
        tag,
        archived,
        limit,
    )
    return [_contact_from(row) for row in rows]


async def set_tags(tx: TenantTx, contact_id: UUID, tags: Sequence[str]) -> None:
    """Give the contact these tags and no others."""
    await tx.execute(
        "UPDATE contacts SET tags = $3 WHERE tenant_id = $1 AND id = $2", tx.tenant_id, contact_id, list(tags)
    )
