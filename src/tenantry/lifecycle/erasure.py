"""Deleting a contact or a tenant, with a receipt of what was removed from where."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from tenantry.calendars.settling import remove_events
from tenantry.domain.errors import NotFound
from tenantry.domain.lifecycle import Kept, Receipt
from tenantry.domain.tenant import Tenant
from tenantry.storage.repositories import audit, erasure, tenants
from tenantry.storage.repositories.erasure import Removal
from tenantry.storage.tenancy import Database, TenantTx

if TYPE_CHECKING:  # the command line deletes tenants without the engine, which takes a second to import
    from tenantry.engine.turn import Engine

_USAGE = "counts of tokens and money under random ids that nothing else bears any more; a bill outlives the talk"
_AUDIT = "who did what, with random ids that nothing else bears any more, and no words"
_MINUTE = "the windows of rate limits, under a keyed hash, in memory (or in Redis) for a minute"


@dataclass(frozen=True, slots=True)
class Erased:
    """A contact that is gone, and which conversations went with it."""

    receipt: Receipt
    conversation_ids: tuple[UUID, ...]


async def erase_contact(engine: "Engine", tenant_id: UUID, contact_id: UUID, by: str) -> Receipt:
    """Delete a contact with all that there is of it; `by` is who asks, as `kind:id`. Its turns that run end with
    ConversationDeleted. Raises NotFound."""
    async with engine.db.tenant(tenant_id) as tx:
        erased = await erase(tx, contact_id, by, await erasure.removals(tx))
    if erased is None:
        raise NotFound
    engine.forget_contact(tenant_id, contact_id, erased.conversation_ids)
    return erased.receipt


async def erase(tx: TenantTx, contact_id: UUID, by: str, steps: Sequence[Removal]) -> Erased | None:
    """Delete a contact by these `erasure.removals` and put the receipt into the audit log; None when there is none."""
    conversation_ids = await erasure.lock(tx, contact_id)
    if conversation_ids is None:
        return None
    freed = await erasure.bookings_to_come(tx, contact_id)
    await remove_events(tx, contact_id)
    used = await erasure.usage_rows(tx, conversation_ids)
    receipt = Receipt(
        subject=f"contact:{contact_id}",
        by=by,
        at=datetime.now(UTC),
        removed=await erasure.remove(tx, contact_id, steps),
        freed=freed,
        kept=(Kept("usage", _USAGE, used), Kept("audit_log", _AUDIT), Kept("rate limits", _MINUTE)),
    )
    await audit.record(tx, actor=by, action="contact.deleted", target=receipt.subject, details=_details(receipt))
    return Erased(receipt, conversation_ids)


async def erase_tenant(db: Database, tenant: Tenant, by: str) -> Receipt:
    """Delete a tenant with every row of it, and its people who belong to no other tenant. The receipt is nowhere but in
    what is returned: the audit log goes too. Raises NotFound."""
    async with db.operator(tenant.id) as operator:
        # Nothing that refers to the tenant is added from here on; what its running turns still add to is counted as it
        # was a moment before it went.
        if not await tenants.lock(operator):
            raise NotFound
        async with db.tenant(tenant.id) as tx:
            removed = await erasure.rows_of_tenant(tx)
        if people := await tenants.delete_with_people(operator):
            removed["users"] = people
    return Receipt(subject=f"tenant:{tenant.id}", by=by, at=datetime.now(UTC), removed=removed)


def _details(receipt: Receipt) -> Mapping[str, Any]:
    return {"receipt": msgspec.to_builtins(receipt)}
