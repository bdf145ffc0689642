"""Rate limits and monthly budgets."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from tenantry.client.transport import Transport, given
from tenantry.domain.limits import LimitValues

_PATH = "/api/v1/limits"


@dataclass(frozen=True, slots=True)
class MemberBudget:
    """What a member's agents may use in a month; None is no budget. Money in millionths of a US dollar."""

    member_id: UUID
    monthly_tokens: int | None = None
    monthly_cost_micros: int | None = None


@dataclass(frozen=True, slots=True)
class TenantLimits:
    """What the operator grants, what the tenant allows itself, and what counts: the smaller of both."""

    effective: LimitValues
    granted: LimitValues
    own: LimitValues
    member_budgets: tuple[MemberBudget, ...]


class Limits:
    """`/api/v1/limits`. Every method raises ApiError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def get(self) -> TenantLimits:
        """All rate limits and budgets that the key can see."""
        return await self._transport.call("GET", _PATH, TenantLimits)

    async def change(
        self, own: LimitValues | None = None, *, member_budgets: Sequence[MemberBudget] = ()
    ) -> TenantLimits:
        """Replace what the tenant allows itself, where given, and the budgets of the named members."""
        body = given(own=own, member_budgets=list(member_budgets))
        return await self._transport.call("PUT", _PATH, TenantLimits, body=body)
