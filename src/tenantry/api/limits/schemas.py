"""What the routes of limits take and give."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from tenantry.api.common import with_examples
from tenantry.domain.limits import LIMIT_NAMES, MOST_MONTHLY, MOST_PER_MINUTE, Budget, LimitValues
from tenantry.storage.repositories.limits import MemberBudget, WrittenLimits

_STRICT = ConfigDict(extra="forbid")
Rate = Annotated[int, Field(ge=1, le=MOST_PER_MINUTE)]
Amount = Annotated[int, Field(ge=0, le=MOST_MONTHLY)]


class LimitValuesModel(BaseModel):
    """Messages in any 60 seconds from one contact, under one member's keys, and for the whole tenant; tokens, and
    millionths of a US dollar, in a calendar month of the tenant's zone. Null is no limit."""

    model_config = _STRICT
    contact_per_minute: Rate | None = None
    member_per_minute: Rate | None = None
    tenant_per_minute: Rate | None = None
    monthly_tokens: Amount | None = None
    monthly_cost_micros: Amount | None = None

    @classmethod
    def of(cls, values: LimitValues) -> "LimitValuesModel":
        """The values as they are shown."""
        return cls(**{name: getattr(values, name) for name in LIMIT_NAMES})

    def values(self) -> LimitValues:
        """The values as the domain has them."""
        return LimitValues(*(getattr(self, name) for name in LIMIT_NAMES))


class MemberBudgetModel(BaseModel):
    """What a member's agents may use in a month; with both null they have no budget of their own."""

    model_config = _STRICT
    member_id: UUID
    monthly_tokens: Amount | None = None
    monthly_cost_micros: Amount | None = None

    def budget(self) -> Budget:
        """The budget as the domain has it."""
        return Budget(self.monthly_tokens, self.monthly_cost_micros)


class LimitsIn(BaseModel):
    """What to change. `own` replaces all that the tenant allows itself, at most what the operator grants; left out, it
    stays. The members named in `member_budgets` get these budgets, the others keep theirs."""

    model_config = with_examples({"own": {"contact_per_minute": 20, "monthly_tokens": 5_000_000}})
    own: LimitValuesModel | None = None
    member_budgets: Annotated[list[MemberBudgetModel], Field(max_length=100)] = []


class LimitsOut(BaseModel):
    """`granted` by the operator or, for rates, by the installation's settings; the tenant's `own`; `effective` the
    smaller of both. A member sees no other member's budget."""

    effective: LimitValuesModel
    granted: LimitValuesModel
    own: LimitValuesModel
    member_budgets: list[MemberBudgetModel]

    @classmethod
    def of(cls, granted: LimitValues, written: WrittenLimits, budgets: Sequence[MemberBudget]) -> "LimitsOut":
        """The limits as they are shown; `granted` has the installation's defaults filled in."""
        return cls(
            effective=LimitValuesModel.of(written.own.within(granted)),
            granted=LimitValuesModel.of(granted),
            own=LimitValuesModel.of(written.own),
            member_budgets=[
                MemberBudgetModel(
                    member_id=of.member_id,
                    monthly_tokens=of.budget.monthly_tokens,
                    monthly_cost_micros=of.budget.monthly_cost_micros,
                )
                for of in budgets
            ],
        )
