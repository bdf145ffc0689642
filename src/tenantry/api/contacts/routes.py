"""`/api/v1/contacts`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from tenantry.api.common import Cursor, Db, EngineResources, Limit, TheEngine, cut_page
from tenantry.api.contacts.schemas import ContactFind, ContactOut, ContactPage, ContactTags, ReceiptOut
from tenantry.api.problems import problems
from tenantry.auth.principals import CanEditContacts, CanReadContacts
from tenantry.domain.access import Principal
from tenantry.domain.errors import Forbidden, InvalidInput, NotFound
from tenantry.domain.lifecycle import Contact
from tenantry.engine.inbound import clean_email, clean_reference
from tenantry.lifecycle.erasure import erase_contact
from tenantry.storage.repositories import audit, contact_records, contacts
from tenantry.storage.tenancy import TenantTx

router = APIRouter(prefix="/api/v1/contacts", tags=["contacts"])


@router.get("")
async def list_contacts(
    who: CanReadContacts,
    db: Db,
    tag: Annotated[str | None, Query(max_length=64, description="Contacts with this tag.")] = None,
    archived: Annotated[bool, Query(description="Archived ones too.")] = False,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> ContactPage:
    """The contacts that the key can see, newest first: all of the tenant's, or those of the conversations that the
    member sees."""
    async with db.tenant(who.tenant_id) as tx:
        found = await contact_records.list_page(
            tx, sees_only=who.sees_only, before=cursor, limit=limit + 1, tag=tag, archived=archived
        )
    page, next_cursor = cut_page(found, limit, lambda contact: contact.id)
    return ContactPage(items=[ContactOut.of(contact) for contact in page], next_cursor=next_cursor)


@router.post("/find", responses=problems(NotFound))
async def find_contact(body: ContactFind, who: CanReadContacts, resources: EngineResources) -> ContactOut:
    """The contact with the caller's own id or an e-mail address, which belong into no URL."""
    given = (
        ("external", clean_reference("leadId", body.lead_id)),
        ("email", clean_email("leadEmail", body.lead_email)),
    )
    hasher = resources.hasher
    identities = [(kind, hasher.hash(who.tenant_id, kind, text)) for kind, text in given if text is not None]
    if not identities:
        raise InvalidInput("Give `leadId` or `leadEmail`.")
    async with resources.db.tenant(who.tenant_id) as tx:
        contact = await contacts.find(tx, identities)
        if contact is None:
            raise NotFound
        return ContactOut.of(await _visible(tx, contact.id, who))


@router.get("/{contact_id}")
async def read_contact(contact_id: UUID, who: CanReadContacts, db: Db) -> ContactOut:
    """One contact."""
    async with db.tenant(who.tenant_id) as tx:
        return ContactOut.of(await _visible(tx, contact_id, who))


@router.put("/{contact_id}/tags")
async def tag_contact(contact_id: UUID, body: ContactTags, who: CanEditContacts, db: Db) -> ContactOut:
    """Give a contact these tags and no others; rules of routing can ask for them."""
    tags = sorted(set(body.tags))
    async with db.tenant(who.tenant_id) as tx:
        await _visible(tx, contact_id, who)
        await contact_records.set_tags(tx, contact_id, tags)
        # No words: a tag may be said of a person, and the audit log outlives them.
        details = {"tags": len(tags)}
        await audit.record(
            tx, actor=who.actor, action="contact.tagged", target=f"contact:{contact_id}", details=details
        )
        return ContactOut.of(await _visible(tx, contact_id, who))


@router.delete("/{contact_id}")
async def delete_contact(contact_id: UUID, who: CanEditContacts, engine: TheEngine) -> ReceiptOut:
    """Delete a contact with everything that there is of it, for good, and tell what was removed from where; for the
    tenant's keys, owners and admins."""
    if not who.whole_tenant:
        raise Forbidden("Only a tenant's key, its owners and admins may delete contacts.")
    return ReceiptOut.of(await erase_contact(engine, who.tenant_id, contact_id, who.actor))


async def _visible(tx: TenantTx, contact_id: UUID, who: Principal) -> Contact:
    contact = await contact_records.get(tx, contact_id, sees_only=who.sees_only)
    if contact is None:
        raise NotFound
    return contact
