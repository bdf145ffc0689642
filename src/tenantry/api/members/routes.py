"""`/api/v1/members`."""

from fastapi import APIRouter

from tenantry.api.common import Db
from tenantry.api.members.schemas import MemberList, MemberOut
from tenantry.auth.principals import CanReadAgents
from tenantry.domain.errors import Forbidden
from tenantry.storage.repositories import tenants

router = APIRouter(prefix="/api/v1/members", tags=["members"])


@router.get("")
async def list_members(who: CanReadAgents, db: Db) -> MemberList:
    """The members of the tenant; for its keys, owners and admins."""
    if not who.whole_tenant:
        raise Forbidden("Only a tenant's key, its owners and admins may list the members.")
    async with db.tenant(who.tenant_id) as tx:
        return MemberList(items=[MemberOut.of(member) for member in await tenants.list_members(tx)])
