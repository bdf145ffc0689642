"""Routing: the rules, a dry run of them, and how the variants of a test do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from tenantry.client.transport import Transport, given
from tenantry.domain.errors import FieldError
from tenantry.domain.routing import By, RuleSet, Step

_PATH = "/api/v1/routing"


@dataclass(frozen=True, slots=True)
class Rules:
    """The tenant's rules; `revision` counts their changes, 0 where there are none."""

    revision: int
    rules: RuleSet
    updated_at: datetime | None


@dataclass(frozen=True, slots=True)
class DryRun:
    """Who would answer and why; `steps` are all that were tried, the last one decided. Rules that were given and have
    `faults` are not tried."""

    agent_id: UUID | None
    version: int | None
    by: By | None
    rule: str | None
    variant: str | None
    new_user: bool
    steps: tuple[Step, ...]
    faults: tuple[FieldError, ...]


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` of `total`; the true rate lies between `low` and `high` with 95 % confidence."""

    count: int
    total: int
    rate: float | None
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Variant:
    """What came of a variant's conversations."""

    variant: str
    conversations: int
    completed: Rate
    booked: Rate
    escalated: Rate


@dataclass(frozen=True, slots=True)
class RateDifference:
    """How much higher a rate is than another, with its 95 % interval."""

    estimate: float | None
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """A variant beside the first one (`to`)."""

    variant: str
    to: str
    completed: RateDifference
    booked: RateDifference
    escalated: RateDifference


@dataclass(frozen=True, slots=True)
class Results:
    """How the variants of a rule do."""

    rule: str
    variants: tuple[Variant, ...]
    differences: tuple[Comparison, ...]


class Routing:
    """`/api/v1/routing`. Every method raises ApiError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def get(self) -> Rules:
        """The tenant's rules."""
        return await self._transport.call("GET", _PATH, Rules)

    async def put(self, rules: RuleSet | Mapping[str, Any], *, revision: int) -> Rules:
        """Put rules in the place of those that were read with this revision; a 409 when they were changed since."""
        return await self._transport.call("PUT", _PATH, Rules, body={"revision": revision, "rules": rules})

    async def dry_run(
        self,
        *,
        agent_id: UUID | None = None,
        purpose: str | None = None,
        channel: str | None = None,
        language: str | None = None,
        tags: Sequence[str] = (),
        metadata: Mapping[str, Any] | None = None,
        lead_id: str | None = None,
        lead_email: str | None = None,
        at: datetime | None = None,
        rules: RuleSet | Mapping[str, Any] | None = None,
    ) -> DryRun:
        """Who would answer such a conversation at that moment (aware; else now), by the tenant's rules or by these."""
        body = given(
            agent_id=agent_id,
            purpose=purpose,
            channel=channel,
            language=language,
            tags=tuple(tags),
            metadata=metadata,
            lead_id=lead_id,
            lead_email=lead_email,
            at=at,
            rules=rules,
        )
        return await self._transport.call("POST", f"{_PATH}/dry-run", DryRun, body=body, repeatable=True)

    async def results(self, rule: str, *, since: datetime | None = None) -> Results:
        """How the variants of a rule do, of conversations that began at `since` (aware) or later."""
        return await self._transport.call("GET", f"{_PATH}/results", Results, params={"rule": rule, "since": since})
