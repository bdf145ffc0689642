"""Monthly budgets: what the turns of a month may use, counted while they run."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from tenantry.domain.conversation import Usage
from tenantry.domain.errors import BudgetExhausted
from tenantry.domain.limits import Budget, dollars, month_of
from tenantry.domain.tenant import Tenant
from tenantry.storage.repositories import limits, usage
from tenantry.storage.tenancy import Database

RELOAD_S = 15.0
# What a turn is taken to use until the month has an average: a prompt with its history, and an answer.
FIRST_TOKENS = 2_000
FIRST_COST_MICROS = 2_000
# Rows are dated by the transaction that inserts them, so none comes later than this with an earlier date.
_SETTLED_AFTER = timedelta(minutes=10)
_KEPT_ACCOUNTS = 1_000


@dataclass(slots=True)
class _Spend:
    """Tokens and millionths of a dollar, and in how many turns."""

    tokens: int = 0
    cost_micros: int = 0
    turns: int = 0

    def add(self, tokens: int, cost_micros: int, turns: int) -> None:
        self.tokens += tokens
        self.cost_micros += cost_micros
        self.turns += turns


@dataclass(slots=True)
class _Ledger:
    """Spending of each owner, and of all together under None."""

    # The tenant's own agents only count for the whole.
    of: dict[UUID | None, _Spend] = field(default_factory=dict[UUID | None, _Spend])

    def add(self, owner_member_id: UUID | None, tokens: int, cost_micros: int, turns: int) -> None:
        for owner in {None, owner_member_id}:
            self.of.setdefault(owner, _Spend()).add(tokens, cost_micros, turns)

    def get(self, owner: UUID | None) -> _Spend:
        return self.of.get(owner) or _Spend()


@dataclass(slots=True)
class _Account:
    """One tenant's month: `base` was used before `based_on` and is never read again, `recent` from then on, both as
    the table had them; `carried` and `added` were settled here since, before and after the last reading began."""

    begins: datetime
    ends: datetime
    based_on: datetime
    read_at: float = float("-inf")
    base: _Ledger = field(default_factory=_Ledger)
    recent: _Ledger = field(default_factory=_Ledger)
    carried: _Ledger = field(default_factory=_Ledger)
    added: _Ledger = field(default_factory=_Ledger)
    reserved: _Ledger = field(default_factory=_Ledger)
    budgets: dict[UUID, Budget] = field(default_factory=dict[UUID, Budget])
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    def used(self, owner: UUID | None) -> _Spend:
        """What is used by now."""
        whole = _Spend()
        for ledger in (self.base, self.recent, self.carried, self.added):
            part = ledger.get(owner)
            whole.add(part.tokens, part.cost_micros, part.turns)
        return whole

    def estimate(self) -> tuple[int, int]:
        """The tokens and the cost that a turn of this tenant uses on the average of its month."""
        used = self.used(None)
        if not used.turns:
            return FIRST_TOKENS, FIRST_COST_MICROS
        return used.tokens // used.turns, used.cost_micros // used.turns


@dataclass(slots=True)
class Reservation:
    """What is set aside for a turn that runs; `settle` gives it back and counts what was used instead."""

    tenant_id: UUID
    owner_member_id: UUID | None
    tokens: int = 0
    cost_micros: int = 0
    account: _Account | None = None


class BudgetLedger:
    """The budgets of the tenants that this process works for. Other processes' spending is seen 15 s later at most."""

    def __init__(
        self,
        db: Database,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`now` says which month it is, `clock` in seconds how old a reading is."""
        self._db = db
        self._now = now
        self._clock = clock
        self._accounts: dict[UUID, _Account] = {}

    async def prepare(self, tenant: Tenant) -> None:
        """Read what `take` needs, at most every 15 s, and nothing where neither the tenant nor any of its members has a
        budget. Call it while holding no connection. Raises DatabaseUnavailable."""
        if tenant.limits.has_budgets:
            await self._account(tenant)

    def at_hand(self, tenant: Tenant) -> bool:
        """Whether `take` needs nothing to be read first."""
        if not tenant.limits.has_budgets:
            return True
        account = self._accounts.get(tenant.id)
        return (
            account is not None
            and account.begins <= self._now() < account.ends
            and self._clock() - account.read_at < RELOAD_S
        )

    def take(self, tenant: Tenant, owner_member_id: UUID | None) -> Reservation:
        """Set aside what a turn will probably use; to be settled whatever comes of the turn. Raises BudgetExhausted
        when what is left does not cover it."""
        account = self._accounts.get(tenant.id) if tenant.limits.has_budgets else None
        if account is None:
            return Reservation(tenant.id, owner_member_id)
        tokens, cost_micros = account.estimate()
        self._check(account, None, tenant.limits.budget, tokens, cost_micros)
        if owner_member_id is not None and (budget := account.budgets.get(owner_member_id)):
            self._check(account, owner_member_id, budget, tokens, cost_micros)
        account.reserved.add(owner_member_id, tokens, cost_micros, 1)
        return Reservation(tenant.id, owner_member_id, tokens, cost_micros, account)

    def settle(self, reservation: Reservation, used: Usage | None = None) -> None:
        """Give back what was set aside, and count what was used; once the turn is stored with its usage, or came to
        nothing. Settling again does nothing."""
        held, reservation.account = reservation.account, None
        if held is None:
            return
        owner = reservation.owner_member_id
        held.reserved.add(owner, -reservation.tokens, -reservation.cost_micros, -1)
        # The month may have ended while the turn ran.
        account = self._accounts.get(reservation.tenant_id, held)
        if used is not None:
            tokens = used.input_tokens + used.output_tokens
            account.added.add(owner, tokens, used.cost_micros, 1 if tokens else 0)

    def forget_budgets(self, tenant_id: UUID) -> None:
        """Read the tenant's budgets and spending again before the next turn: they were changed here."""
        if account := self._accounts.get(tenant_id):
            account.read_at = float("-inf")

    async def _account(self, tenant: Tenant) -> _Account:
        account, moment = self._accounts.get(tenant.id), self._now()
        if account is None or not account.begins <= moment < account.ends:
            account = self._open(tenant, moment, account)
        if self._clock() - account.read_at >= RELOAD_S:
            async with account.reading:
                if self._clock() - account.read_at >= RELOAD_S:
                    await self._read(tenant.id, account)
        return account

    def _open(self, tenant: Tenant, moment: datetime, before: _Account | None) -> _Account:
        if len(self._accounts) >= _KEPT_ACCOUNTS:
            self._drop_idle()
        begins, ends = month_of(moment, ZoneInfo(tenant.time_zone))
        account = self._accounts[tenant.id] = _Account(begins, ends, based_on=begins)
        if before is not None:
            # Turns that still run will be paid from the new month.
            account.reserved = before.reserved
        return account

    def _drop_idle(self) -> None:
        oldest = self._clock() - RELOAD_S
        for tenant_id, account in list(self._accounts.items()):
            if account.read_at < oldest and not account.reserved.get(None).turns and not account.reading.locked():
                del self._accounts[tenant_id]

    async def _read(self, tenant_id: UUID, account: _Account) -> None:
        began = self._clock()
        # What is settled from here on may be in the reading too, and is counted twice until the next one: on the
        # safe side.
        account.carried, account.added = _sum(account.carried, account.added), _Ledger()
        settled = max(account.based_on, min(self._now(), account.ends) - _SETTLED_AFTER)
        async with self._db.tenant(tenant_id) as tx:
            found = await usage.spent(tx, account.based_on, settled, account.ends)
            budgets = await limits.member_budgets(tx)
        account.recent = _Ledger()
        for spend in found:
            ledger = account.base if spend.settled else account.recent
            ledger.add(spend.owner_member_id, spend.tokens, spend.cost_micros, spend.turns)
        account.based_on, account.carried = settled, _Ledger()
        account.budgets = {of.member_id: of.budget for of in budgets}
        account.read_at = began

    def _check(self, account: _Account, owner: UUID | None, budget: Budget, tokens: int, cost_micros: int) -> None:
        used, reserved = account.used(owner), account.reserved.get(owner)
        whose = "tenant" if owner is None else "member"
        self._fits(account, f"{whose}_monthly_tokens", used.tokens, reserved.tokens, tokens, budget.monthly_tokens)
        self._fits(
            account,
            f"{whose}_monthly_cost_micros",
            used.cost_micros,
            reserved.cost_micros,
            cost_micros,
            budget.monthly_cost_micros,
        )

    def _fits(self, account: _Account, name: str, used: int, reserved: int, wanted: int, limit: int | None) -> None:
        # A budget that is smaller than one turn's estimate still has that one turn.
        if limit is None or used + reserved + wanted <= limit or (limit and not used and not reserved):
            return
        soon = used + wanted <= limit
        when = (
            "turns that run now hold the rest, try again soon"
            if soon
            else f"it begins anew at {account.ends.isoformat()}, unless it is raised"
        )
        raise BudgetExhausted(
            f"The month's budget {name} of {_shown(name, limit)} does not cover another turn; {_shown(name, used)} are "
            f"used: {when}.",
            extra={"budget": name, "used": used, "reserved": reserved, "limit": limit},
            retry_after=RELOAD_S if soon else (account.ends - self._now()).total_seconds(),
        )


def _shown(name: str, value: int) -> str:
    return f"${dollars(value)}" if name.endswith("micros") else f"{value:,} tokens"


def _sum(one: _Ledger, other: _Ledger) -> _Ledger:
    whole = _Ledger()
    for ledger in (one, other):
        for owner, spend in ledger.of.items():
            whole.of.setdefault(owner, _Spend()).add(spend.tokens, spend.cost_micros, spend.turns)
    return whole
