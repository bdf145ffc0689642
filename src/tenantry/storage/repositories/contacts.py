"""Contacts, found by keyed hashes of what identifies them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from tenantry.domain.ids import new_id
from tenantry.storage.tenancy import TenantTx

Identity = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class Contact:
    """The other end. Its sides in A/B tests follow from `split_key`, `tags` are what it was given, and `is_new` tells
    that it was met just now."""

    id: UUID
    split_key: bytes
    tags: tuple[str, ...] = ()
    is_new: bool = False


async def find(tx: TenantTx, identities: Sequence[Identity], *, keep: bool = False) -> Contact | None:
    """The contact of the first of these identities (kind, hash) that is known; with `keep`, nobody deletes it until the
    transaction ends."""
    for kind, digest in identities:
        row = await tx.row(
            "SELECT c.id, c.split_key, c.tags FROM contact_identities i JOIN contacts c ON c.tenant_id = i.tenant_id "
            "AND c.id = i.contact_id WHERE i.tenant_id = $1 AND i.kind = $2 AND i.hash = $3"
            + (" FOR KEY SHARE OF c" if keep else ""),
            tx.tenant_id,
            kind,
            digest,
        )
        if row is not None:
            return Contact(row["id"], row["split_key"], tuple(row["tags"]))
    return None


async def find_or_create(tx: TenantTx, identities: Sequence[Identity]) -> Contact:
    """The contact of the first known identity, else a new one; identities that nobody has become theirs too."""
    contact = await find(tx, identities, keep=True)
    if contact is None:
        contact = await _create(tx, identities)
    elif len(identities) == 1:
        return contact
    for kind, digest in identities:
        await tx.execute(
            "INSERT INTO contact_identities (tenant_id, kind, hash, contact_id) VALUES ($1, $2, $3, $4) "
            "ON CONFLICT DO NOTHING",
            tx.tenant_id,
            kind,
            digest,
            contact.id,
        )
    # Of two requests that met the contact first, the one whose identity stayed is right.
    kept = await find(tx, identities, keep=True)
    if kept is None or kept.id == contact.id:
        return contact
    await tx.execute("DELETE FROM contacts WHERE tenant_id = $1 AND id = $2", tx.tenant_id, contact.id)
    return kept


def met_now(identities: Sequence[Identity]) -> Contact:
    """A contact who is met by these identities for the first time. Their split key is the hash of the first or, with
    none, random bytes."""
    return Contact(new_id(), identities[0][1] if identities else os.urandom(16), is_new=True)


async def _create(tx: TenantTx, identities: Sequence[Identity]) -> Contact:
    contact = met_now(identities)
    await tx.execute(
        "INSERT INTO contacts (tenant_id, id, split_key) VALUES ($1, $2, $3)",
        tx.tenant_id,
        contact.id,
        contact.split_key,
    )
    return contact


async def exists(tx: TenantTx, contact_id: UUID) -> bool:
    """Whether there is a contact with this id."""
    query = "SELECT EXISTS (SELECT FROM contacts WHERE tenant_id = $1 AND id = $2)"
    return await tx.value(query, tx.tenant_id, contact_id)


async def lock(tx: TenantTx, contact_id: UUID) -> None:
    """Let nobody else lock the contact until the transaction ends; their conversations go on."""
    query = "SELECT FROM contacts WHERE tenant_id = $1 AND id = $2 FOR NO KEY UPDATE"
    await tx.execute(query, tx.tenant_id, contact_id)
