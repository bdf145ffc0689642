"""Contacts, found by keyed hashes of what identifies them."""

from collections.abc import Sequence
from uuid import UUID

from tenantry.domain.ids import new_id
from tenantry.storage.tenancy import TenantTx

Identity = tuple[str, bytes]


async def find(tx: TenantTx, identities: Sequence[Identity], *, keep: bool = False) -> UUID | None:
    """The contact of the first of these identities (kind, hash) that is known; with `keep`, nobody deletes it until the
    transaction ends."""
    for kind, digest in identities:
        contact_id = await tx.value(
            "SELECT c.id FROM contact_identities i JOIN contacts c ON c.tenant_id = i.tenant_id "
            "AND c.id = i.contact_id WHERE i.tenant_id = $1 AND i.kind = $2 AND i.hash = $3"
            + (" FOR KEY SHARE OF c" if keep else ""),
            tx.tenant_id,
            kind,
            digest,
        )
        if contact_id is not None:
            return contact_id
    return None


async def find_or_create(tx: TenantTx, identities: Sequence[Identity]) -> UUID:
    """The contact of the first known identity, else a new one; identities that nobody has become theirs too."""
    contact_id = await find(tx, identities, keep=True)
    if contact_id is None:
        contact_id = new_id()
        await tx.execute("INSERT INTO contacts (tenant_id, id) VALUES ($1, $2)", tx.tenant_id, contact_id)
    elif len(identities) == 1:
        return contact_id
    for kind, digest in identities:
        await tx.execute(
            "INSERT INTO contact_identities (tenant_id, kind, hash, contact_id) VALUES ($1, $2, $3, $4) "
            "ON CONFLICT DO NOTHING",
            tx.tenant_id,
            kind,
            digest,
            contact_id,
        )
    # Of two requests that met the contact first, the one whose identity stayed is right.
    kept = await find(tx, identities, keep=True)
    if kept is None or kept == contact_id:
        return contact_id
    await tx.execute("DELETE FROM contacts WHERE tenant_id = $1 AND id = $2", tx.tenant_id, contact_id)
    return kept


async def exists(tx: TenantTx, contact_id: UUID) -> bool:
    """Whether there is a contact with this id."""
    query = "SELECT EXISTS (SELECT FROM contacts WHERE tenant_id = $1 AND id = $2)"
    return await tx.value(query, tx.tenant_id, contact_id)
