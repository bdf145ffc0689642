"""Rate limits and budgets: what the operator grants a tenant, what the tenant allows itself and its members."""

from dataclasses import astuple, dataclass
from uuid import UUID

from tenantry.domain.limits import LIMIT_NAMES, Budget, LimitValues, RateLimits, TenantLimits
from tenantry.storage.tenancy import Row, TenantTx

# For queries that join tenant_limits as l; a tenant without a row has none.
_RATES = ("contact_per_minute", "member_per_minute", "tenant_per_minute")
EFFECTIVE = ", ".join(
    (
        *(f"l.{name}, l.own_{name}" for name in _RATES),
        *(f"LEAST(l.{name}, l.own_{name}) AS {name}" for name in ("monthly_tokens", "monthly_cost_micros")),
        "EXISTS (SELECT FROM member_budgets b WHERE b.tenant_id = t.id) AS members_have_budgets",
    )
)
JOIN = "LEFT JOIN tenant_limits l ON l.tenant_id = t.id"


def limits_from(row: Row) -> TenantLimits:
    """The limits of a row that has the columns of `EFFECTIVE`."""
    return TenantLimits(
        rates=RateLimits(*(row[name] for name in _RATES)),
        own_rates=RateLimits(*(row[f"own_{name}"] for name in _RATES)),
        budget=Budget(row["monthly_tokens"], row["monthly_cost_micros"]),
        members_have_budgets=row["members_have_budgets"],
    )


@dataclass(frozen=True, slots=True)
class WrittenLimits:
    """A tenant's limits as the operator granted them, and as the tenant lowered them for itself."""

    granted: LimitValues
    own: LimitValues


async def written(tx: TenantTx) -> WrittenLimits:
    """Both sides' limits of the transaction's tenant."""
    row = await tx.row("SELECT * FROM tenant_limits WHERE tenant_id = $1", tx.tenant_id)
    if row is None:
        return WrittenLimits(LimitValues(), LimitValues())
    return WrittenLimits(
        LimitValues(*(row[name] for name in LIMIT_NAMES)), LimitValues(*(row[f"own_{name}"] for name in LIMIT_NAMES))
    )


def _upsert(prefix: str) -> str:
    names = [f"{prefix}{name}" for name in LIMIT_NAMES]
    values = ", ".join(f"${place + 2}" for place in range(len(names)))
    changes = ", ".join(f"{name} = excluded.{name}" for name in names)
    return (
        f"INSERT INTO tenant_limits (tenant_id, {', '.join(names)}) VALUES ($1, {values}) "
        f"ON CONFLICT (tenant_id) DO UPDATE SET {changes}"
    )


_GRANT, _LOWER = _upsert(""), _upsert("own_")


async def grant(tx: TenantTx, values: LimitValues) -> None:
    """Set what the operator grants the tenant, all of it; in an operator's transaction."""
    await tx.execute(_GRANT, tx.tenant_id, *astuple(values))


async def lower(tx: TenantTx, values: LimitValues) -> None:
    """Set what the tenant allows itself, all of it."""
    await tx.execute(_LOWER, tx.tenant_id, *astuple(values))


@dataclass(frozen=True, slots=True)
class MemberBudget:
    """What a member's agents may use in a month."""

    member_id: UUID
    budget: Budget


async def member_budgets(tx: TenantTx, *, sees_only: UUID | None = None) -> list[MemberBudget]:
    """The budgets of all members that have one, or of one member."""
    rows = await tx.rows(
        "SELECT member_id, monthly_tokens, monthly_cost_micros FROM member_budgets "
        "WHERE tenant_id = $1 AND ($2::uuid IS NULL OR member_id = $2) ORDER BY member_id",
        tx.tenant_id,
        sees_only,
    )
    return [MemberBudget(row["member_id"], Budget(row["monthly_tokens"], row["monthly_cost_micros"])) for row in rows]


async def set_member_budget(tx: TenantTx, member_id: UUID, budget: Budget) -> bool:
    """Set a member's budget, or with an unbounded one take it away; False when the tenant has no such member."""
    if not budget.bounded:
        await tx.execute("DELETE FROM member_budgets WHERE tenant_id = $1 AND member_id = $2", tx.tenant_id, member_id)
        return True
    touched = await tx.execute(
        "INSERT INTO member_budgets (tenant_id, member_id, monthly_tokens, monthly_cost_micros) "
        "SELECT tenant_id, id, $3, $4 FROM members WHERE tenant_id = $1 AND id = $2 AND removed_at IS NULL "
        "ON CONFLICT (tenant_id, member_id) DO UPDATE SET monthly_tokens = $3, monthly_cost_micros = $4",
        tx.tenant_id,
        member_id,
        budget.monthly_tokens,
        budget.monthly_cost_micros,
    )
    return touched == 1
