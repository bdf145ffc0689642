"""`/api/v1/audit`."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from tenantry.api.audit.schemas import AuditEntryOut, AuditPage
from tenantry.api.common import Cursor, Db, Limit, cut_page
from tenantry.auth.principals import CanReadAudit
from tenantry.domain.access import Principal
from tenantry.domain.errors import Forbidden
from tenantry.storage.repositories import audit
from tenantry.storage.repositories.audit import AuditFilter

router = APIRouter(prefix="/api/v1/audit", tags=["audit"])

_WORD = Query(max_length=200)


@router.get("")
async def read_audit(
    who: CanReadAudit,
    db: Db,
    actor: Annotated[str | None, _WORD] = None,
    action: Annotated[str | None, _WORD] = None,
    target: Annotated[str | None, _WORD] = None,
    begins: Annotated[AwareDatetime | None, Query(alias="from", description="At or after this.")] = None,
    ends: Annotated[AwareDatetime | None, Query(alias="to", description="Before this.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> AuditPage:
    """Who did what to which thing, newest first; for the tenant's keys, owners and admins."""
    _require_whole_tenant(who)
    async with db.tenant(who.tenant_id) as tx:
        found = await audit.list_page(
            tx, matching=AuditFilter(actor, action, target, begins, ends), before=cursor, limit=limit + 1
        )
    page, next_cursor = cut_page(found, limit, lambda entry: entry.id)
    return AuditPage(items=[AuditEntryOut.of(entry) for entry in page], next_cursor=next_cursor)


def _require_whole_tenant(who: Principal) -> None:
    if not who.whole_tenant:
        raise Forbidden("Only a tenant's key, its owners and admins may read the audit log.")
