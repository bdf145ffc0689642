"""An agent as data: what it is told, what it collects, what it may do and when."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from annotated_types import Ge, Le, MaxLen, MinLen

from tenantry.domain.voice import Voice

type_config: dict[str, Any] = {"extra": "forbid"}

Line = Annotated[str, MaxLen(200)]
Text = Annotated[str, MaxLen(20_000)]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class VariableType(StrEnum):
    """How a variable's value is read, checked and written. The JSON form of a value is in brackets."""

    TEXT = "text"  # string
    NAME = "name"  # string, a person's name
    ADDRESS = "address"  # string, a postal address on one line
    EMAIL = "email"  # string, normalised
    PHONE = "phone"  # string, E.164
    NUMBER = "number"  # number
    MONEY = "money"  # {"amount": number, "currency": ISO 4217 code or null}
    DATE = "date"  # "2026-11-24"
    TIME = "time"  # "15:00"
    DATETIME = "datetime"  # "2026-11-24T15:00", wall time in the agent's zone
    CHOICE = "choice"  # one of the variable's choices
    YES_NO = "yes_no"  # true or false


@dataclass(frozen=True, slots=True)
class Variable:
    """One thing that the agent collects from the contact."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config

    name: Annotated[str, MinLen(1), MaxLen(64)]
    type: VariableType
    question: Line = ""
    required: bool = True
    description: Line = ""
    choices: Annotated[tuple[Line, ...], MaxLen(50)] = ()

    @property
    def label(self) -> str:
        """The name as one would say it: `property_address` is "property address"."""
        return self.name.replace("_", " ")


class TurnFieldType(StrEnum):
    """What a turn field holds. The JSON form of a value is in brackets."""

    TEXT = "text"  # string
    NUMBER = "number"  # number
    CHOICE = "choice"  # one of the field's choices
    YES_NO = "yes_no"  # true or false
    LIST = "list"  # array of strings, each one of the choices where there are any


@dataclass(frozen=True, slots=True)
class TurnField:
    """One thing that the model is to say about every turn, such as a sentiment; the contact does not hear it.
    `minimum` and `maximum` bound a number, both included."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config

    name: Annotated[str, MinLen(1), MaxLen(64)]
    type: TurnFieldType
    description: Line = ""
    choices: Annotated[tuple[Line, ...], MaxLen(50)] = ()
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, slots=True)
class Header:
    """A header that a call is sent with. `secret` names a sealed secret of the agent's owner or of the tenant; it
    takes the place of `{secret}` in `value`, or is the whole value where that is empty."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config

    name: Annotated[str, MinLen(1), MaxLen(64)]
    value: Annotated[str, MaxLen(1000)] = ""
    secret: Annotated[str, MinLen(1), MaxLen(64)] | None = None


@dataclass(frozen=True, slots=True)
class AnswerField:
    """What the agent learns from an answer: the value at `path`, such as "data.estimate" or "offers.0.price"."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config

    name: Annotated[str, MinLen(1), MaxLen(64)]
    path: Annotated[str, MinLen(1), MaxLen(200)]


@dataclass(frozen=True, slots=True)
class HttpCall:
    """A call to the tenant's own service. `url` may hold the function's variables as `{name}` in path and query;
    without `answer` the agent learns the whole answer, cut to size. `idempotent` promises that the service does
    nothing twice under one Idempotency-Key, so that a call that was cut off may be sent again."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config

    url: Annotated[str, MinLen(1), MaxLen(2000)]
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    headers: Annotated[tuple[Header, ...], MaxLen(20)] = ()
    timeout_s: Annotated[int, Ge(1), Le(30)] = 10
    answer: Annotated[tuple[AnswerField, ...], MaxLen(20)] = ()
    idempotent: bool = False


@dataclass(frozen=True, slots=True)
class McpCall:
    """A tool of the tenant's own MCP server (streamable HTTP) at `url`; without `tool` it has the function's name.
    `idempotent` promises that the server does nothing twice under one `idempotency_key` in the call's `_meta`."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config

    url: Annotated[str, MinLen(1), MaxLen(2000)]
    tool: Annotated[str, MaxLen(128)] = ""
    headers: Annotated[tuple[Header, ...], MaxLen(20)] = ()
    timeout_s: Annotated[int, Ge(1), Le(30)] = 10
    idempotent: bool = False


MEMORY_FUNCTIONS = frozenset({"memory_append", "memory_replace"})
# What agents can do with nothing but a name; any further function brings its own call.
BUILT_IN_FUNCTIONS = MEMORY_FUNCTIONS | {
    "check_availability",
    "set_appointment",
    "reschedule_appointment",
    "cancel_appointment",
    "hand_off",
    "end_conversation",
}


@dataclass(frozen=True, slots=True)
class Function:
    """One thing that the agent may do: what is built in under `name`, or the call `http` or `mcp`; `variables` are
    handed to it. `purposes`, for `hand_off` alone, are those of the tenant's routing that it may hand over to."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config

    name: Annotated[str, MinLen(1), MaxLen(64)]
    description: Annotated[str, MaxLen(1000)] = ""
    variables: Annotated[tuple[str, ...], MaxLen(100)] = ()
    enabled: bool = True
    http: HttpCall | None = None
    mcp: McpCall | None = None
    purposes: Annotated[tuple[Annotated[str, MinLen(1), MaxLen(64)], ...], MaxLen(20)] = ()


@dataclass(frozen=True, slots=True)
class OpeningHours:
    """On these days open from `opens` to `closes`, wall time as "HH:MM"; "24:00" closes at midnight."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config

    days: Annotated[tuple[Weekday, ...], MinLen(1), MaxLen(7)]
    opens: str
    closes: str


@dataclass(frozen=True, slots=True)
class Holidays:
    """The public holidays of a country (ISO 3166), with `subdivision` those of a part of it besides: its code after
    the country's, as "BE" of DE-BE."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config

    country: Annotated[str, MinLen(2), MaxLen(2)]
    subdivision: Annotated[str, MinLen(1), MaxLen(16)] | None = None


@dataclass(frozen=True, slots=True)
class AppointmentRules:
    """How appointments are made. No hours begin on `holidays` and on what is `closed`: days ("2026-12-24") and spans of
    days, the last one included ("2026-12-27/2027-01-02"). `daily_maximum` counts the agent's own appointments in its
    owner's calendar that start on one day of the agent's zone."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config

    length_minutes: Annotated[int, Ge(5), Le(24 * 60)] = 30
    buffer_minutes: Annotated[int, Ge(0), Le(24 * 60)] = 0
    notice_minutes: Annotated[int, Ge(0), Le(60 * 24 * 365)] = 0
    horizon_days: Annotated[int, Ge(1), Le(730)] = 90
    holidays: Holidays | None = None
    closed: Annotated[tuple[Annotated[str, MaxLen(21)], ...], MaxLen(200)] = ()
    daily_maximum: Annotated[int, Ge(1), Le(1000)] | None = None


# What becomes of a message while an earlier one of its conversation is being answered: it waits, it ends that answer
# where it stands, or it is not taken.
NewMessage = Literal["queue", "interrupt", "reject"]

# Who talks with what: every contact with an instance of their own, made when they first come and with a memory of its
# own; all with the one agent, which keeps nothing in mind of a contact from one conversation to the next; or all with
# the one agent, which knows each contact again.
Pattern = Literal["personal", "shared", "shared_with_identity"]

# Which version answers in a conversation: the one that was published last, or the one that it began with.
FollowedVersion = Literal["newest", "pinned"]

OFFICE_HOURS = (OpeningHours(days=("mon", "tue", "wed", "thu", "fri"), opens="09:00", closes="17:00"),)


@dataclass(frozen=True, slots=True)
class AgentDefinition:
    """All that makes an agent behave as it does. `region` (ISO 3166) is where phone numbers and money
    without a prefix belong; `time_zone` is an IANA name."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config

    name: Annotated[str, MinLen(1), MaxLen(200)]
    personality: Text = ""
    tonality: Text = ""
    response_style: Text = ""
    dos: Annotated[tuple[Annotated[str, MaxLen(1000)], ...], MaxLen(100)] = ()
    donts: Annotated[tuple[Annotated[str, MaxLen(1000)], ...], MaxLen(100)] = ()
    instructions: Text = ""
    greeting: Annotated[str, MaxLen(2000)] = ""
    language: Annotated[str, MinLen(2), MaxLen(16)] = "en"
    region: Annotated[str, MinLen(2), MaxLen(2)] = "US"
    time_zone: Annotated[str, MinLen(1), MaxLen(64)] = "UTC"
    business_hours: Annotated[tuple[OpeningHours, ...], MaxLen(50)] = OFFICE_HOURS
    appointments: AppointmentRules = field(default_factory=AppointmentRules)
    variables: Annotated[tuple[Variable, ...], MaxLen(100)] = ()
    functions: Annotated[tuple[Function, ...], MaxLen(100)] = ()
    turn_fields: Annotated[tuple[TurnField, ...], MaxLen(50)] = ()
    model: Annotated[str, MaxLen(200)] | None = None
    fallback_models: Annotated[tuple[Annotated[str, MinLen(1), MaxLen(200)], ...], MaxLen(5)] = ()
    on_new_message: NewMessage = "queue"
    pattern: Pattern = "shared_with_identity"
    follow: FollowedVersion = "newest"
    voice: Voice = field(default_factory=Voice)

    def variable(self, name: str) -> Variable | None:
        """The variable of that name, or None."""
        return next((v for v in self.variables if v.name == name), None)

    def enabled_functions(self) -> tuple[Function, ...]:
        """The functions the agent may use now."""
        return tuple(f for f in self.functions if f.enabled)


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent as it answers: one version of it, acting for one member or, with no `owner_member_id`, for the tenant.
    `version` is None for a draft; `own` is who has a changed instance of it, and since when it is as it is."""

    tenant_id: UUID
    id: UUID
    owner_member_id: UUID | None
    version: int | None
    definition: AgentDefinition
    own: tuple[UUID, datetime] | None = None

    @property
    def user_id(self) -> str:
        """What the model is shown as `user_id`: the owner, a member's id or else the tenant's."""
        return str(self.owner_member_id or self.tenant_id)


AgentStatus = Literal["draft", "published", "changed"]


@dataclass(frozen=True, slots=True)
class AgentRecord:
    """An agent as it is kept and edited: `definition` is the draft and `revision` counts its changes; `published` is
    the number of the version that answers."""

    tenant_id: UUID
    id: UUID
    owner_member_id: UUID | None
    revision: int
    definition: AgentDefinition
    published: int | None
    published_revision: int | None
    tags: tuple[str, ...]
    is_template: bool
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None = None

    @property
    def status(self) -> AgentStatus:
        """Never published, published as it is, or changed since."""
        if self.published is None:
            return "draft"
        return "published" if self.published_revision == self.revision else "changed"

    def draft(self) -> Agent:
        """The draft, as if it answered."""
        return Agent(self.tenant_id, self.id, self.owner_member_id, None, self.definition)


@dataclass(frozen=True, slots=True)
class AgentVersion:
    """What an agent was when it was published; never changed. `published_by` is `kind:id`; `restores` is the version
    that a roll-back brought back."""

    number: int
    definition: AgentDefinition
    note: str
    restores: int | None
    published_by: str
    published_at: datetime
