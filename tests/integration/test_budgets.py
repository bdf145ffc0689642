"""Monthly budgets: turns side by side, months that end, processes that start again or spend beside each other."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tenantry.auth.budgets import FIRST_TOKENS, RELOAD_S, BudgetLedger, Reservation
from tenantry.domain.conversation import Usage
from tenantry.domain.errors import BudgetExhausted
from tenantry.domain.ids import new_id
from tenantry.domain.limits import Budget, LimitValues
from tenantry.domain.tenant import Tenant
from tenantry.storage.repositories import limits, tenants, usage
from tenantry.storage.repositories.usage import OwnerSpend, UsageRow
from tenantry.storage.tenancy import Database
from tests.conftest import TenantForTest

BERLIN = "Europe/Berlin"


async def reserve(ledger: BudgetLedger, tenant: Tenant, owner_member_id: UUID | None) -> Reservation:
    """As the engine sets aside a turn's price."""
    await ledger.prepare(tenant)
    return ledger.take(tenant, owner_member_id)


class Times:
    """The date, and the clock that says how old a reading is."""

    def __init__(self) -> None:
        self.moment = datetime.now(UTC)
        self.seconds = 0.0

    def ledger(self, database: Database) -> BudgetLedger:
        """The ledger of a fresh process."""
        return BudgetLedger(database, now=lambda: self.moment, clock=lambda: self.seconds)


@pytest.fixture
def times() -> Times:
    """Times to be moved."""
    return Times()


async def of_tenant(database: Database, tenant: TenantForTest, **budget: int) -> Tenant:
    async with database.operator(tenant.id) as tx:
        await limits.grant(tx, LimitValues(**budget))
    async with database.tenant(tenant.id) as tx:
        return await tenants.current(tx)


async def store(
    database: Database, tenant: Tenant, owner: UUID | None, used: Usage, at: datetime | None = None
) -> None:
    row = UsageRow(new_id(), "a-model", new_id(), owner, new_id(), "http", used, at)
    async with database.tenant(tenant.id) as tx:
        await usage.insert(tx, [row])


async def turn(
    ledger: BudgetLedger, database: Database, tenant: Tenant, owner: UUID | None, used: Usage
) -> Reservation | BudgetExhausted:
    """What the engine does: reserve, think, store, settle."""
    try:
        reservation = await reserve(ledger, tenant, owner)
    except BudgetExhausted as error:
        return error
    await asyncio.sleep(0)
    await store(database, tenant, owner, used)
    ledger.settle(reservation, used)
    return reservation


def tokens(count: int) -> Usage:
    return Usage(input_tokens=count - count // 4, output_tokens=count // 4, cached_tokens=count // 2)


async def test_without_a_budget_nothing_is_asked_of_the_database(tenant: TenantForTest, database: Database) -> None:
    found = await of_tenant(database, tenant)
    ledger = BudgetLedger(None)  # pyright: ignore[reportArgumentType]
    reservation = await reserve(ledger, found, tenant.members["mark"])
    ledger.settle(reservation, tokens(10**9))


async def test_turns_side_by_side_do_not_overshoot(tenant: TenantForTest, database: Database, times: Times) -> None:
    found = await of_tenant(database, tenant, monthly_tokens=10 * FIRST_TOKENS)
    ledger = times.ledger(database)
    outcomes = await asyncio.gather(
        *(turn(ledger, database, found, tenant.members["mark"], tokens(FIRST_TOKENS)) for _ in range(50))
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, BudgetExhausted)]
    assert len(refused) == 40
    # Those who only wait for turns that run may come back soon.
    assert {error.retry_after for error in refused if error.extra["used"] == 0} == {RELOAD_S}
    last = await turn(ledger, database, found, None, tokens(1))
    assert isinstance(last, BudgetExhausted)
    assert (last.status, last.code, last.retryable) == (429, "budget_exhausted", True)
    used = 10 * FIRST_TOKENS
    assert last.extra == {"budget": "tenant_monthly_tokens", "used": used, "reserved": 0, "limit": used}


async def test_money_is_counted_in_millionths_and_by_the_average_of_the_month(
    tenant: TenantForTest, database: Database, times: Times
) -> None:
    found = await of_tenant(database, tenant, monthly_cost_micros=1_000_000)
    ledger = times.ledger(database)
    used = Usage(100, 100, 0, 300_000)
    for _ in range(3):
        assert isinstance(await turn(ledger, database, found, None, used), Reservation)
    # A fourth of the same price would be 0.20 too much.
    error = await turn(ledger, database, found, None, used)
    assert isinstance(error, BudgetExhausted)
    assert (error.extra["budget"], error.extra["used"]) == ("tenant_monthly_cost_micros", 900_000)
    assert "$0.900000" in error.detail


async def test_a_turn_that_came_to_nothing_gives_all_back(
    tenant: TenantForTest, database: Database, times: Times
) -> None:
    found = await of_tenant(database, tenant, monthly_tokens=FIRST_TOKENS)
    ledger = times.ledger(database)
    for _ in range(3):
        reservation = await reserve(ledger, found, None)
        with pytest.raises(BudgetExhausted):
            await reserve(ledger, found, None)
        ledger.settle(reservation)
        ledger.settle(reservation, tokens(FIRST_TOKENS))


@pytest.mark.parametrize(("budget", "allowed"), [(0, False), (1, True)])
async def test_a_budget_smaller_than_any_turn_has_one_turn_unless_it_is_nothing(
    tenant: TenantForTest, database: Database, times: Times, budget: int, allowed: bool
) -> None:
    found = await of_tenant(database, tenant, monthly_tokens=budget)
    outcomes = [await turn(times.ledger(database), database, found, None, tokens(5)) for _ in range(2)]
    assert [isinstance(outcome, Reservation) for outcome in outcomes] == [allowed, False]


async def test_a_members_budget_holds_back_only_their_own_agents(
    tenant: TenantForTest, database: Database, times: Times
) -> None:
    mark, jon = tenant.members["mark"], tenant.members["jon"]
    async with database.tenant(tenant.id) as tx:
        assert await limits.set_member_budget(tx, jon, Budget(monthly_tokens=5_000))
    found = await of_tenant(database, tenant)
    assert found.limits.members_have_budgets
    ledger = times.ledger(database)
    assert isinstance(await turn(ledger, database, found, jon, tokens(4_000)), Reservation)
    error = await turn(ledger, database, found, jon, tokens(4_000))
    assert isinstance(error, BudgetExhausted)
    assert (error.extra["budget"], error.extra["used"]) == ("member_monthly_tokens", 4_000)
    for owner in (mark, None):
        assert isinstance(await turn(ledger, database, found, owner, tokens(4_000)), Reservation)
    async with database.tenant(tenant.id) as tx:
        await limits.set_member_budget(tx, jon, Budget(monthly_tokens=50_000))
    ledger.forget_budgets(tenant.id)
    assert isinstance(await turn(ledger, database, found, jon, tokens(4_000)), Reservation)


async def test_the_month_ends_in_the_tenants_zone(tenant: TenantForTest, database: Database, times: Times) -> None:
    found = replace(await of_tenant(database, tenant, monthly_tokens=3_000), time_zone=BERLIN)
    ends = datetime(2026, 11, 30, 23, tzinfo=UTC)
    times.moment = ends - timedelta(hours=2)
    ledger = times.ledger(database)
    await store(database, found, None, tokens(500), at=datetime(2026, 10, 31, 22, tzinfo=UTC))
    await store(database, found, None, tokens(2_900), at=datetime(2026, 10, 31, 23, tzinfo=UTC))
    with pytest.raises(BudgetExhausted) as error:
        await reserve(ledger, found, None)
    assert error.value.extra["used"] == 2_900
    assert error.value.retry_after == 2 * 3600
    times.moment = ends - timedelta(microseconds=1)
    with pytest.raises(BudgetExhausted):
        await reserve(ledger, found, None)
    times.moment = ends
    running = await reserve(ledger, found, None)
    times.moment = datetime(2026, 12, 31, 23, tzinfo=UTC)
    # What runs over the end of the month is held back from the new one, and paid from it.
    with pytest.raises(BudgetExhausted) as error:
        await reserve(ledger, found, None)
    assert error.value.extra["reserved"] == FIRST_TOKENS
    ledger.settle(running, tokens(2_000))
    with pytest.raises(BudgetExhausted) as error:
        await reserve(ledger, found, None)
    assert (error.value.extra["used"], error.value.extra["reserved"]) == (2_000, 0)


async def test_a_process_that_starts_again_knows_what_was_used(
    tenant: TenantForTest, database: Database, times: Times
) -> None:
    found = await of_tenant(database, tenant, monthly_tokens=7_000)
    assert isinstance(await turn(times.ledger(database), database, found, None, tokens(6_000)), Reservation)
    error = await turn(times.ledger(database), database, found, None, tokens(6_000))
    assert isinstance(error, BudgetExhausted)
    assert error.extra["used"] == 6_000


async def test_what_another_process_spends_is_seen_within_fifteen_seconds(
    tenant: TenantForTest, database: Database, times: Times
) -> None:
    found = await of_tenant(database, tenant, monthly_tokens=10_000)
    one, other = times.ledger(database), times.ledger(database)
    one.settle(await reserve(one, found, None))
    assert isinstance(await turn(other, database, found, None, tokens(9_000)), Reservation)
    times.seconds += RELOAD_S - 1
    one.settle(await reserve(one, found, None))
    times.seconds += 1
    with pytest.raises(BudgetExhausted):
        await reserve(one, found, None)


async def test_readings_in_the_midst_of_turns_lose_nothing(
    tenant: TenantForTest, database: Database, times: Times
) -> None:
    found = await of_tenant(database, tenant, monthly_tokens=60 * 100)
    ledger = times.ledger(database)
    # With an average of 100 tokens, the estimates are exact.
    await store(database, found, None, tokens(100))

    async def turns() -> int:
        done = 0
        while isinstance(await turn(ledger, database, found, None, tokens(100)), Reservation):
            times.seconds += RELOAD_S / 3
            done += 1
        return done

    async with asyncio.timeout(30):
        assert 1 + sum(await asyncio.gather(*(turns() for _ in range(6)))) <= 60
    # What is counted twice while a reading overlaps is right again at the next one.
    times.seconds += RELOAD_S
    while isinstance(await turn(ledger, database, found, None, tokens(100)), Reservation):
        times.seconds += RELOAD_S
    async with database.tenant(tenant.id) as tx:
        assert await tx.value("SELECT sum(input_tokens + output_tokens) FROM usage") == 60 * 100


async def test_what_is_settled_while_the_table_is_read_is_not_lost(
    tenant: TenantForTest, database: Database, times: Times, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await of_tenant(database, tenant, monthly_tokens=10_000)
    ledger, read = times.ledger(database), usage.spent
    running = await reserve(ledger, found, None)

    async def spent(*arguments: Any) -> list[OwnerSpend]:
        # What was read is older than what is stored and settled before the reading comes back.
        rows = await read(*arguments)
        await store(database, found, None, tokens(9_000))
        ledger.settle(running, tokens(9_000))
        return rows

    monkeypatch.setattr(usage, "spent", spent)
    times.seconds += RELOAD_S
    with pytest.raises(BudgetExhausted) as error:
        await reserve(ledger, found, None)
    assert error.value.extra["used"] == 9_000
    monkeypatch.undo()
    times.seconds += RELOAD_S
    with pytest.raises(BudgetExhausted) as error:
        await reserve(ledger, found, None)
    assert error.value.extra["used"] == 9_000


async def test_sums_stay_right_while_readings_move_on(tenant: TenantForTest, database: Database, times: Times) -> None:
    found = await of_tenant(database, tenant, monthly_tokens=100_000)
    times.moment = datetime(2026, 11, 20, tzinfo=UTC)
    ledger = times.ledger(database)
    await store(database, found, None, tokens(1_000), at=times.moment - timedelta(days=1))
    for minutes in (0, 5, 10, 20, 40):
        times.moment = datetime(2026, 11, 20, tzinfo=UTC) + timedelta(minutes=minutes)
        times.seconds += RELOAD_S
        await store(database, found, None, tokens(1_000), at=times.moment)
        ledger.settle(await reserve(ledger, found, None))
    small = replace(found, limits=replace(found.limits, budget=Budget(monthly_tokens=1)))
    with pytest.raises(BudgetExhausted) as error:
        await reserve(ledger, small, None)
    assert error.value.extra["used"] == 6_000
