"""What the contacts' routes take and give."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from tenantry.api.common import Page, with_examples
from tenantry.domain.lifecycle import Contact, Receipt

Tag = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\s,][^,\x00-\x1f]*$")]


class ContactFind(BaseModel):
    """Who is looked for, by the caller's own id or by e-mail address; with both, the id counts."""

    model_config = with_examples({"leadId": "crm-4711"})
    lead_id: Annotated[str | None, Field(alias="leadId", max_length=200)] = None
    lead_email: Annotated[str | None, Field(alias="leadEmail", max_length=320)] = None


class ContactTags(BaseModel):
    """All tags that the contact is to have."""

    model_config = with_examples({"tags": ["vip", "berlin"]})
    tags: Annotated[list[Tag], Field(max_length=50)]


class ContactOut(BaseModel):
    """A contact. What identifies them is kept as keyed hashes only, so it is not shown. `last_active` and
    `conversations` are of the conversations that the key can see."""

    id: UUID
    created_at: datetime
    last_active: datetime
    archived_at: datetime | None
    tags: list[str]
    conversations: int

    @classmethod
    def of(cls, contact: Contact) -> "ContactOut":
        """The contact as it is shown."""
        return cls(
            id=contact.id,
            created_at=contact.created_at,
            last_active=contact.last_active,
            archived_at=contact.archived_at,
            tags=list(contact.tags),
            conversations=contact.conversations,
        )


class ContactPage(Page):
    """Contacts, newest first."""

    items: list[ContactOut]


class FreedBookingOut(BaseModel):
    """An appointment to come that went with the contact, and in whose calendar: a member's or, with null, the
    tenant's."""

    calendar_id: UUID
    owner_member_id: UUID | None
    starts_at: datetime
    ends_at: datetime


class KeptOut(BaseModel):
    """What stays, and why; `rows` is null where it was not counted."""

    what: str
    why: str
    rows: int | None


class ReceiptOut(BaseModel):
    """What was removed from where: rows by table. It names no person, and stands in the audit log too."""

    subject: str
    by: str
    at: datetime
    removed: dict[str, int]
    freed: list[FreedBookingOut]
    kept: list[KeptOut]

    @classmethod
    def of(cls, receipt: Receipt) -> "ReceiptOut":
        """The receipt as it is shown."""
        return cls(
            subject=receipt.subject,
            by=receipt.by,
            at=receipt.at,
            removed=dict(receipt.removed),
            freed=[
                FreedBookingOut(
                    calendar_id=of.calendar_id,
                    owner_member_id=of.owner_member_id,
                    starts_at=of.starts_at,
                    ends_at=of.ends_at,
                )
                for of in receipt.freed
            ],
            kept=[KeptOut(what=of.what, why=of.why, rows=of.rows) for of in receipt.kept],
        )
