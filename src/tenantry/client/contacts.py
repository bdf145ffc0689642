"""Contacts: found, tagged and deleted."""

from collections.abc import AsyncGenerator, Sequence
from uuid import UUID

from tenantry.client.transport import Transport, given
from tenantry.domain.lifecycle import Contact, Receipt

_PATH = "/api/v1/contacts"


class Contacts:
    """`/api/v1/contacts`. Every method raises ApiError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, tag: str | None = None, archived: bool | None = None) -> AsyncGenerator[Contact]:
        """The contacts whose conversations the key can see, newest first."""
        return self._transport.pages(_PATH, Contact, tag=tag, archived=archived)

    async def get(self, contact_id: UUID) -> Contact:
        """One contact."""
        return await self._transport.call("GET", f"{_PATH}/{contact_id}", Contact)

    async def find(self, *, lead_id: str | None = None, lead_email: str | None = None) -> Contact:
        """Who has this id of the caller's own or, without one, this e-mail address."""
        body = given(leadId=lead_id, leadEmail=lead_email)
        return await self._transport.call("POST", f"{_PATH}/find", Contact, body=body, repeatable=True)

    async def set_tags(self, contact_id: UUID, tags: Sequence[str]) -> Contact:
        """Give a contact these tags and no others."""
        return await self._transport.call("PUT", f"{_PATH}/{contact_id}/tags", Contact, body={"tags": tags})

    async def delete(self, contact_id: UUID) -> Receipt:
        """Delete a contact with all that was ever said; what was removed from where."""
        return await self._transport.call("DELETE", f"{_PATH}/{contact_id}", Receipt)
