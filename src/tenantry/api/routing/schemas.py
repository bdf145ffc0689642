"""What the routes of routing take and give."""

from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from tenantry.domain.errors import FieldError
from tenantry.domain.routing import By, Choice, RuleSet, Step, VariantCounts
from tenantry.routing.results import Difference, VariantResult, difference, variant_result
from tenantry.storage.repositories.routing import StoredRules

_AN_AGENT = "0193f0a2-6b3c-7c5e-9d0a-3f1b2c4d5e6f"
_ANOTHER = "0193f0a2-6b3c-7c5e-9d0a-3f1b2c4d5e70"
_RULES: dict[str, Any] = {
    "purposes": {"sales": {"agent_id": _AN_AGENT}},
    "users": [
        {
            "name": "gold",
            "when": {"metadata": [{"key": "tier", "test": "equals", "value": "gold"}]},
            "to": {"agent_id": _AN_AGENT},
        }
    ],
    "rules": [
        {
            "name": "friendlier",
            "when": {"channels": ["web"]},
            "split": {
                "parts": [
                    {"variant": "as it was", "weight": 70, "to": {"agent_id": _ANOTHER, "version": 3}},
                    {"variant": "friendlier", "weight": 30, "to": {"agent_id": _ANOTHER, "version": 4}},
                ]
            },
        }
    ],
    "default": {"agent_id": _ANOTHER},
}


class RoutingIn(BaseModel):
    """New rules for those that were read with this revision; 0 where there are none yet."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"revision": 0, "rules": _RULES}]})
    revision: Annotated[int, Field(ge=0, le=2**31 - 1)]
    rules: RuleSet


class RoutingOut(BaseModel):
    """A tenant's rules; `revision` counts their changes."""

    revision: int
    rules: RuleSet
    updated_at: datetime | None

    @classmethod
    def of(cls, stored: StoredRules) -> "RoutingOut":
        """The rules as they are shown."""
        return cls(revision=stored.revision, rules=stored.rules, updated_at=stored.updated_at)


class DryRunIn(BaseModel):
    """A conversation that might begin: what the caller would say of it, and when (`at`, else now). `lead_id` and
    `lead_email` say whether the contact is new and which side of a split is theirs; with neither, that is chance. With
    `rules`, those are tried instead of the tenant's."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"purpose": "sales", "lead_id": "ada-7", "metadata": {"tier": "gold"}}]},
    )
    agent_id: UUID | None = None
    purpose: Annotated[str, Field(max_length=64)] | None = None
    channel: Annotated[str, Field(min_length=1, max_length=64)] = "http"
    language: Annotated[str, Field(max_length=35)] | None = None
    tags: list[Annotated[str, Field(max_length=64)]] = []
    metadata: dict[str, Any] = {}
    lead_id: str | None = None
    lead_email: str | None = None
    at: AwareDatetime | None = None
    rules: RuleSet | None = None


class DryRunOut(BaseModel):
    """Who would answer and why. `version` is the one that would, `by` the kind of step that decided, `rule` and
    `variant` which; `steps` are all that were tried, in order. `agent_id` is null where the active agent would answer
    and there is none yet. Rules with `faults` are not tried when they were given; of the tenant's own these are what
    has become of them since, such as an agent that was deleted."""

    agent_id: UUID | None
    version: int | None
    by: By | None
    rule: str | None
    variant: str | None
    new_user: bool
    steps: Sequence[Step]
    faults: Sequence[FieldError]

    @classmethod
    def untried(cls, faults: Sequence[FieldError], *, new_user: bool) -> "DryRunOut":
        """What is said of rules that cannot be tried."""
        return cls(
            agent_id=None,
            version=None,
            by=None,
            rule=None,
            variant=None,
            new_user=new_user,
            steps=(),
            faults=faults,
        )

    @classmethod
    def of(
        cls, choice: Choice, agent_id: UUID | None, version: int | None, faults: Sequence[FieldError], *, new_user: bool
    ) -> "DryRunOut":
        """The choice as it is shown; `agent_id` is where it leads."""
        return cls(
            agent_id=agent_id,
            version=version,
            by=choice.by,
            rule=choice.rule,
            variant=choice.variant,
            new_user=new_user,
            steps=choice.steps,
            faults=faults,
        )


class ComparisonOut(BaseModel):
    """How much higher the rates of a variant are than those of the first one."""

    variant: str
    to: str
    completed: Difference
    booked: Difference
    escalated: Difference

    @classmethod
    def of(cls, one: VariantResult, other: VariantResult) -> "ComparisonOut":
        """The first one's rates less the other's."""
        return cls(
            variant=one.variant,
            to=other.variant,
            completed=difference(one.completed, other.completed),
            booked=difference(one.booked, other.booked),
            escalated=difference(one.escalated, other.escalated),
        )


class ResultsOut(BaseModel):
    """What came of the conversations of each variant of a rule, as rates with 95 % intervals, and how the rates of the
    further variants differ from the first one's: for good where 0 is not in the interval. A conversation is completed
    when nothing that its agent needs to know is missing or an appointment was made, booked while it has an
    appointment, escalated when it went over to another agent or was told to need a person."""

    rule: str
    variants: list[VariantResult]
    differences: list[ComparisonOut]

    @classmethod
    def of(cls, rule: str, counts: Sequence[VariantCounts]) -> "ResultsOut":
        """The counts, the first one's variant being what the others are compared with."""
        found = [variant_result(each) for each in counts]
        return cls(
            rule=rule,
            variants=found,
            differences=[ComparisonOut.of(each, found[0]) for each in islice(found, 1, None)],
        )
