"""Rules that say which agent a conversation goes to, as data; what they look at, and what comes of it."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from annotated_types import Ge, Le, MaxLen, MinLen

from tenantry.domain.agent import OpeningHours, type_config

Name = Annotated[str, MinLen(1), MaxLen(64)]
Scalar = Annotated[str, MaxLen(500)] | int | float | bool
Comparison = Literal["equals", "not_equals", "one_of", "exists", "missing", "at_least", "at_most", "contains"]

# The versions that there are of each agent that rules may name.
AgentVersions = Mapping[UUID, Collection[int]]


@dataclass(frozen=True, slots=True)
class Target:
    """An agent: one version of it or, without `version`, the one that the agent follows."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config

    agent_id: UUID
    version: Annotated[int, Ge(1), Le(2**31 - 1)] | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One variant of a split, and how many of a hundred contacts get it."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config

    variant: Name
    weight: Annotated[int, Ge(1), Le(100)]
    to: Target


@dataclass(frozen=True, slots=True)
class Split:
    """An A/B test: each contact gets one of the parts and keeps it. The weights sum to 100. A contact's place depends
    on `salt`, by default the rule's name; parts lie on it in their order, so that contacts change sides only where
    the boundary between two parts moves."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config

    parts: Annotated[tuple[Part, ...], MinLen(1), MaxLen(20)]
    salt: Annotated[str, MaxLen(64)] = ""


@dataclass(frozen=True, slots=True)
class MetadataTest:
    """A test of one value of the metadata. `key` names it, with dots into nested objects; a value of null is missing,
    and what is missing passes `missing` alone. `one_of` takes a list, `exists` and `missing` no value, `at_least` and
    `at_most` a number; `contains` finds a piece of a text or an item of a list."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config

    key: Annotated[str, MinLen(1), MaxLen(200)]
    test: Comparison
    value: Scalar | Annotated[tuple[Scalar, ...], MaxLen(50)] | None = None


@dataclass(frozen=True, slots=True)
class TimeTest:
    """Whether it is now within `hours` of an IANA zone or, with `open` false, outside of them. Hours belong to the day
    on which they begin; on `holidays` none begin."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config

    time_zone: Annotated[str, MinLen(1), MaxLen(64)]
    hours: Annotated[tuple[OpeningHours, ...], MinLen(1), MaxLen(20)]
    holidays: Annotated[tuple[date, ...], MaxLen(50)] = ()
    open: bool = True


@dataclass(frozen=True, slots=True)
class Condition:
    """What has to hold, all of it; what is left out is not looked at, so that an empty condition always holds.
    `channels` and `tags` hold for any one of theirs. A language is a BCP 47 range: "de" is also "de-AT"."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config

    channels: Annotated[tuple[Name, ...], MaxLen(20)] = ()
    languages: Annotated[tuple[Annotated[str, MinLen(2), MaxLen(35)], ...], MaxLen(50)] = ()
    tags: Annotated[tuple[Name, ...], MaxLen(50)] = ()
    new_user: bool | None = None
    metadata: Annotated[tuple[MetadataTest, ...], MaxLen(10)] = ()
    time: TimeTest | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """When the condition holds, the conversation goes to one agent (`to`) or to one side of a `split`."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config

    name: Name
    when: Condition = Condition()
    to: Target | None = None
    split: Split | None = None

    def targets(self) -> Iterator[tuple[str, Target]]:
        """Every agent that it may lead to, by the path of its field in the rule."""
        if self.to is not None:
            yield "to", self.to
        for index, part in enumerate(self.split.parts if self.split else ()):
            yield f"split.parts.{index}.to", part.to


@dataclass(frozen=True, slots=True)
class RuleSet:
    """A tenant's routing, in the order in which it is tried: the agent of a purpose; `users`, rules on nothing but
    `new_user` and `metadata`; `rules` on anything; `default`, or else the tenant's active agent. Of rules, the first
    whose condition holds decides. Their names are unique in both lists."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config

    purposes: Annotated[Mapping[Name, Target], MaxLen(100)] = field(default_factory=dict[str, Target])
    users: Annotated[tuple[Rule, ...], MaxLen(50)] = ()
    rules: Annotated[tuple[Rule, ...], MaxLen(100)] = ()
    default: Target | None = None

    def targets(self) -> Iterator[tuple[str, Target]]:
        """Every agent that it may lead to, by the path of its field."""
        for purpose, target in self.purposes.items():
            yield f"purposes.{purpose}", target
        for step, rules in (("users", self.users), ("rules", self.rules)):
            for index, rule in enumerate(rules):
                yield from ((f"{step}.{index}.{path}", target) for path, target in rule.targets())
        if self.default is not None:
            yield "default", self.default


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a conversation when it begins. `asked` is the agent that was asked for by its id; `split_key`
    names the contact for ever, such as its id or its keyed hash; `now` is aware."""

    tenant_id: UUID
    split_key: bytes
    now: datetime
    asked: Target | None = None
    purpose: str | None = None
    channel: str | None = None
    language: str | None = None
    tags: frozenset[str] = frozenset()
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    new_user: bool = False


By = Literal["explicit", "purpose", "user", "rule", "default"]


class StepCode(StrEnum):
    """What came of one step of a choice: it decided, or why it did not."""

    DECIDED = "decided"
    NOT_ASKED = "not_asked"
    NO_RULES = "no_rules"
    UNKNOWN_PURPOSE = "unknown_purpose"
    OTHER_CHANNEL = "other_channel"
    OTHER_LANGUAGE = "other_language"
    OTHER_TAGS = "other_tags"
    OTHER_USER = "other_user"
    OTHER_METADATA = "other_metadata"
    OTHER_TIME = "other_time"
    AGENT_GONE = "agent_gone"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a choice: `rule` is the name of the rule that was tried, `text` says in words what came of it. No
    value of the metadata is in it but what the rule itself says."""

    by: By
    code: StepCode
    text: str
    rule: str | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """Where a conversation goes; no `target` means the tenant's active agent. `rule` and `variant` are those that
    decided, where one did. `steps` are all that were tried, in order; the last one decided."""

    target: Target | None
    by: By
    rule: str | None
    variant: str | None
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Routed:
    """How a conversation found its agent, as it is kept with it: by which step, rule and variant, and the purpose that
    was asked for."""

    by: By
    rule: str | None = None
    variant: str | None = None
    purpose: str | None = None


@dataclass(frozen=True, slots=True)
class VariantCounts:
    """Conversations that went to a variant, and how many of them were completed, booked and escalated."""

    variant: str
    conversations: int
    completed: int = 0
    booked: int = 0
    escalated: int = 0
