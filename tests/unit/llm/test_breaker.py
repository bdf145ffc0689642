"""When a provider is left alone, for how long, and who tries it again."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, cast

import pytest

from tenantry.llm.base import FaultKind, ModelEvent, ModelFault, ModelRequest, TextDelta
from tenantry.llm.breaker import Breaker, BreakerRules, Breakers, GuardedModel

REQUEST = cast(ModelRequest, None)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Scripted:
    """Answers, or raises the next fault; `asked` counts."""

    name = "m"

    def __init__(self) -> None:
        self.faults: list[ModelFault | None] = []
        self.asked = 0

    def prompt(self, request: ModelRequest) -> str:
        return "p"

    async def respond(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        self.asked += 1
        fault = self.faults.pop(0) if self.faults else None
        yield TextDelta("hello")
        await asyncio.sleep(0)
        if fault is not None:
            raise fault


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def model() -> Scripted:
    return Scripted()


@pytest.fixture
def guarded(model: Scripted, clock: Clock) -> GuardedModel:
    return GuardedModel(model, Breaker(BreakerRules(), clock))


async def ask(guarded: GuardedModel) -> str:
    """`ok`, or the kind of the fault."""
    try:
        async for _ in guarded.respond(REQUEST):
            pass
    except ModelFault as fault:
        return fault.kind
    return "ok"


async def fail(model: Scripted, guarded: GuardedModel, times: int, kind: FaultKind = "server", **more: Any) -> None:
    for _ in range(times):
        model.faults = [ModelFault(kind, "no", **more)]
        assert await ask(guarded) == kind


@pytest.mark.parametrize("kind", ["timeout", "stalled", "server", "rate_limited", "auth"])
async def test_five_faults_in_a_row_open_it(model: Scripted, guarded: GuardedModel, kind: FaultKind) -> None:
    await fail(model, guarded, 4, kind)
    assert await ask(guarded) == "ok"
    await fail(model, guarded, 5, kind)
    assert model.asked == 10
    assert await ask(guarded) == "circuit_open"
    assert model.asked == 10


async def test_a_refusal_counts_where_the_provider_cannot_be_reached(model: Scripted, guarded: GuardedModel) -> None:
    await fail(model, guarded, 7, "refused", retryable=False)
    assert await ask(guarded) == "ok"
    await fail(model, guarded, 5, "refused", retryable=True)
    assert await ask(guarded) == "circuit_open"


@pytest.mark.parametrize("kind", ["bad_answer", "context_too_long", "not_found", "cut"])
async def test_what_concerns_the_request_does_not_count(
    model: Scripted, guarded: GuardedModel, kind: FaultKind
) -> None:
    await fail(model, guarded, 12, kind)
    assert await ask(guarded) == "ok"


async def test_it_opens_for_15_s_doubled_to_2_minutes_and_closes_with_an_answer(
    model: Scripted, guarded: GuardedModel, clock: Clock
) -> None:
    await fail(model, guarded, 5)
    for seconds in (15, 30, 60, 120, 120):
        clock.now += seconds - 0.01
        assert await ask(guarded) == "circuit_open"
        clock.now += 0.02
        await fail(model, guarded, 1)
    clock.now += 121
    assert await ask(guarded) == "ok"
    await fail(model, guarded, 5)
    clock.now += 16
    assert await ask(guarded) == "ok"


@pytest.mark.parametrize(("asked_for", "waited"), [(40.0, 40.0), (0.0, 1.0), (1e9, 600.0)])
async def test_retry_after_counts_within_bounds(
    model: Scripted, guarded: GuardedModel, clock: Clock, asked_for: float, waited: float
) -> None:
    await fail(model, guarded, 5, "rate_limited", retry_after=asked_for)
    clock.now += waited - 0.5
    with pytest.raises(ModelFault) as caught:
        async for _ in guarded.respond(REQUEST):
            pass
    assert caught.value.kind == "circuit_open"
    assert caught.value.retry_after == pytest.approx(0.5)
    clock.now += 0.6
    assert await ask(guarded) == "ok"


async def test_one_trial_at_a_time_and_one_that_is_given_up_makes_way(
    model: Scripted, guarded: GuardedModel, clock: Clock
) -> None:
    await fail(model, guarded, 5)
    clock.now += 16
    trial = guarded.respond(REQUEST)
    await anext(trial)
    assert await ask(guarded) == "circuit_open"
    await trial.aclose()
    assert await ask(guarded) == "ok"


async def test_a_cut_trial_neither_opens_nor_closes_it(model: Scripted, guarded: GuardedModel, clock: Clock) -> None:
    await fail(model, guarded, 5)
    clock.now += 16
    await fail(model, guarded, 1, "cut")
    await fail(model, guarded, 1)
    assert await ask(guarded) == "circuit_open"


async def test_requests_from_before_it_opened_do_not_make_it_longer_nor_close_it(
    model: Scripted, guarded: GuardedModel, clock: Clock
) -> None:
    model.faults = [*(ModelFault("server", "no") for _ in range(20)), None]
    late = guarded.respond(REQUEST)
    outcomes = await asyncio.gather(*(ask(guarded) for _ in range(20)))
    assert outcomes == ["server"] * 20
    clock.now += 14
    assert await ask(guarded) == "circuit_open"
    clock.now += 2
    assert await ask(guarded) == "ok"
    await late.aclose()


def test_breakers_are_apart_and_bounded(clock: Clock) -> None:
    breakers = Breakers(clock=clock)
    assert breakers.of(("a", 1)) is breakers.of(("a", 1))
    assert breakers.of(("a", 1)) is not breakers.of(("b", 1))
    first = breakers.of("first")
    for number in range(10_001):
        breakers.of(number)
    assert breakers.of("first") is not first
