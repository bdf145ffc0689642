"""Circuit breakers: a provider that keeps failing is left alone for a while, then tried by one request at a time."""

import time
from collections.abc import AsyncGenerator, Callable, Hashable
from contextlib import aclosing
from dataclasses import dataclass

from tenantry.llm.base import FaultKind, Model, ModelEvent, ModelFault, ModelRequest
from tenantry.llm.recent import Recent

# What says that a provider is in trouble. A bad answer or too long a context says something of the request alone.
_TROUBLE: frozenset[FaultKind] = frozenset({"refused", "timeout", "stalled", "server", "rate_limited", "auth"})
_MOST_BREAKERS = 10_000
_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """After `faults` in a row a provider is not asked for `first_s` seconds, doubled with each trial that fails up to
    `longest_s`; a Retry-After of the provider counts instead, up to `longest_retry_after_s`."""

    faults: int = 5
    first_s: float = 15.0
    longest_s: float = 120.0
    longest_retry_after_s: float = 600.0


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to ask once. What comes of it counts while the breaker is still in the `phase` that gave it."""

    phase: int
    trial: bool


class Breaker:
    """The state of one provider in this process. `clock` is monotonic, in seconds."""

    def __init__(self, rules: BreakerRules, clock: Callable[[], float]) -> None:
        self._rules = rules
        self._clock = clock
        self._phase = 0
        self._faults = 0
        self._openings = 0
        self._open_until: float | None = None
        self._trial = False

    def ask(self) -> Permit | None:
        """A permit, or None while the provider is to be left alone."""
        if self._open_until is None:
            return Permit(self._phase, trial=False)
        if self._trial or self._clock() < self._open_until:
            return None
        self._trial = True
        return Permit(self._phase, trial=True)

    def wait_s(self) -> float:
        """The seconds until the next trial; at least one while a trial runs."""
        left = 0.0 if self._open_until is None else self._open_until - self._clock()
        return max(left, 1.0 if self._trial else 0.0)

    @property
    def closed(self) -> bool:
        """Whether the provider is asked as ever; else it is left alone, or about to be tried."""
        return self._open_until is None

    def answered(self, permit: Permit) -> None:
        """The provider did its part."""
        if permit.phase != self._phase:
            return
        if permit.trial:
            self._phase += 1
            self._open_until, self._trial, self._openings = None, False, 0
        self._faults = 0

    def failed(self, permit: Permit, fault: ModelFault) -> None:
        """The provider gave no answer, or not all of it."""
        if permit.phase != self._phase:
            return
        if fault.kind == "cut":
            # It may be the network's doing: neither for nor against the provider.
            self.left(permit)
        elif not _in_trouble(fault):
            self.answered(permit)
        else:
            self._faults += 1
            if permit.trial or self._faults >= self._rules.faults:
                self._open(fault.retry_after)

    def left(self, permit: Permit) -> None:
        """The request ended before anything was known of it."""
        if permit.phase == self._phase and permit.trial:
            self._trial = False

    def _open(self, retry_after: float | None) -> None:
        rules = self._rules
        pause = min(rules.first_s * 2**self._openings, rules.longest_s)
        if retry_after is not None:
            pause = min(max(retry_after, 1.0), rules.longest_retry_after_s)
        self._open_until = self._clock() + pause
        # Beyond the longest pause the doubling says nothing more.
        self._openings = min(self._openings + 1, 16)
        self._faults, self._trial = 0, False
        self._phase += 1


def _in_trouble(fault: ModelFault) -> bool:
    # A refusal that would be repeated is the provider's word on this one request, which a contact may have provoked.
    return fault.kind in _TROUBLE and (fault.kind != "refused" or fault.retryable)


class Breakers:
    """The breakers of a process, at most 10,000: those that were not used for longest are forgotten."""

    def __init__(self, rules: BreakerRules | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._rules = rules or BreakerRules()
        self._clock = clock
        self._kept: Recent[Hashable, Breaker] = Recent(_MOST_BREAKERS, _DAY_S, clock)

    def of(self, provider: Hashable) -> Breaker:
        """The breaker of the provider with this key, which holds the tenant whose provider it is."""
        found = self._kept.get(provider)
        if found is None:
            found = Breaker(self._rules, self._clock)
            self._kept.put(provider, found)
        return found


class GuardedModel:
    """A model behind the breaker of its provider."""

    def __init__(self, model: Model, breaker: Breaker) -> None:
        self._model = model
        self._breaker = breaker

    @property
    def name(self) -> str:
        """The model's name."""
        return self._model.name

    @property
    def trusted(self) -> bool:
        """Whether its provider is asked as ever, since it does not keep failing."""
        return self._breaker.closed

    def prompt(self, request: ModelRequest) -> str:
        """The system prompt as the model is sent it."""
        return self._model.prompt(request)

    async def respond(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        """One step of the model. Raises ModelFault, of kind `circuit_open` without asking the provider."""
        permit = self._breaker.ask()
        if permit is None:
            wait = self._breaker.wait_s()
            raise ModelFault("circuit_open", f"the provider of {self.name} is left alone for now", retry_after=wait)
        try:
            async with aclosing(self._model.respond(request)) as events:
                async for event in events:
                    yield event
            self._breaker.answered(permit)
        except ModelFault as fault:
            self._breaker.failed(permit, fault)
            raise
        finally:
            self._breaker.left(permit)
