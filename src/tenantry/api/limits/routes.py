"""`/api/v1/limits`."""

from fastapi import APIRouter, Request

from tenantry.api.common import Db
from tenantry.api.limits.schemas import LimitsIn, LimitsOut, MemberBudgetModel
from tenantry.auth.budgets import BudgetLedger
from tenantry.auth.principals import CanReadUsage, CanSetLimits
from tenantry.domain.access import Principal
from tenantry.domain.errors import FieldError, Forbidden, InvalidInput
from tenantry.domain.limits import LIMIT_NAMES, LimitValues, RateLimits
from tenantry.storage.repositories import audit, limits
from tenantry.storage.tenancy import TenantTx

router = APIRouter(prefix="/api/v1/limits", tags=["usage"])


@router.get("")
async def read_limits(who: CanReadUsage, db: Db, request: Request) -> LimitsOut:
    """Rate limits and budgets: what the operator grants, what the tenant allows itself, and its members' budgets."""
    async with db.tenant(who.tenant_id) as tx:
        return await _shown(tx, who, _defaults(request))


@router.put("")
async def change_limits(body: LimitsIn, who: CanSetLimits, db: Db, request: Request) -> LimitsOut:
    """Lower the tenant's limits, and set its members' budgets; for the tenant's keys, owners and admins."""
    if not who.whole_tenant:
        raise Forbidden("Only a tenant's key, its owners and admins may change limits.")
    async with db.tenant(who.tenant_id) as tx:
        if body.own is not None:
            await _lower(tx, body.own.values(), who, _defaults(request))
        for place, of in enumerate(body.member_budgets):
            await _set_member_budget(tx, place, of, who)
        shown = await _shown(tx, who, _defaults(request))
    ledger: BudgetLedger = request.app.state.runtime.resources.budgets
    ledger.forget_budgets(who.tenant_id)
    return shown


async def _lower(tx: TenantTx, own: LimitValues, who: Principal, defaults: RateLimits) -> None:
    granted = _with_defaults((await limits.written(tx)).granted, defaults)
    if above := own.above(granted):
        faults = [FieldError(f"own.{name}", f"is above the granted {getattr(granted, name)}") for name in above]
        raise InvalidInput("A tenant may only lower what its operator grants; correct the named fields.", errors=faults)
    await limits.lower(tx, own)
    given = {name: value for name in LIMIT_NAMES if (value := getattr(own, name)) is not None}
    await audit.record(tx, actor=who.actor, action="limits.lowered", target=f"tenant:{who.tenant_id}", details=given)


async def _set_member_budget(tx: TenantTx, place: int, of: MemberBudgetModel, who: Principal) -> None:
    if not await limits.set_member_budget(tx, of.member_id, of.budget()):
        field = f"member_budgets.{place}.member_id"
        raise InvalidInput(f"`{field}` is no member of this tenant.", errors=[FieldError(field, "is no member")])
    details = {"monthly_tokens": of.monthly_tokens, "monthly_cost_micros": of.monthly_cost_micros}
    await audit.record(
        tx, actor=who.actor, action="member.budget_set", target=f"member:{of.member_id}", details=details
    )


async def _shown(tx: TenantTx, who: Principal, defaults: RateLimits) -> LimitsOut:
    written = await limits.written(tx)
    budgets = await limits.member_budgets(tx, sees_only=who.sees_only)
    return LimitsOut.of(_with_defaults(written.granted, defaults), written, budgets)


def _with_defaults(granted: LimitValues, defaults: RateLimits) -> LimitValues:
    return LimitValues(
        contact_per_minute=granted.contact_per_minute or defaults.contact_per_minute,
        member_per_minute=granted.member_per_minute or defaults.member_per_minute,
        tenant_per_minute=granted.tenant_per_minute or defaults.tenant_per_minute,
        monthly_tokens=granted.monthly_tokens,
        monthly_cost_micros=granted.monthly_cost_micros,
    )


def _defaults(request: Request) -> RateLimits:
    return request.app.state.runtime.settings.limits.rates
