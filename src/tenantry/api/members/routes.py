"""`/api/v1/members`: the people of a tenant, for those who act for all of it."""

from uuid import UUID

from fastapi import APIRouter

from tenantry.api.common import Db, require_member
from tenantry.api.members.schemas import HandedOver, HandOver, MemberList, MemberOut
from tenantry.auth.principals import CanEditAgents, CanReadAgents
from tenantry.domain.access import Principal
from tenantry.domain.errors import FieldError, Forbidden, InvalidInput, NotFound
from tenantry.storage.repositories import leaving, tenants

router = APIRouter(prefix="/api/v1/members", tags=["members"])


@router.get("")
async def list_members(who: CanReadAgents, db: Db) -> MemberList:
    """Everybody in the tenant."""
    _require_whole_tenant(who)
    async with db.tenant(who.tenant_id) as tx:
        return MemberList(items=[MemberOut.of(member) for member in await tenants.list_members(tx)])


@router.post("/{member_id}/hand-over")
async def hand_over(member_id: UUID, body: HandOver, who: CanEditAgents, db: Db) -> HandedOver:
    """Hand all agents of a member over to another one or to the tenant. Conversations that began before stay with
    them."""
    _require_whole_tenant(who)
    async with db.tenant(who.tenant_id) as tx:
        if await tenants.member_by_id(tx, member_id) is None:
            raise NotFound("There is no member with this id; GET /api/v1/members lists them.")
        if body.to is not None:
            await require_member(tx, body.to, "to")
        if body.to == member_id:
            raise InvalidInput("Name somebody else.", errors=[FieldError("to", "is the member themselves")])
        return HandedOver(agent_ids=await leaving.hand_over_agents(tx, member_id, body.to, by=who.actor))


def _require_whole_tenant(who: Principal) -> None:
    if not who.whole_tenant:
        raise Forbidden("Only the tenant's keys, owners and admins may see its members and hand over what is theirs.")
