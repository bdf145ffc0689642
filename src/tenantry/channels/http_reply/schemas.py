"""The wire of HTTP replies, in camel case."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from tenantry.api.common import with_examples
from tenantry.domain.agent import AgentDefinition, AgentRecord, AppointmentRules, Function, OpeningHours, Variable

_CAMEL = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid")


class ReplyIn(BaseModel):
    """A contact's message. `leadId` and `conversationId` may be the caller's own ids; they are looked up within the
    client and the contact only. Without `conversationId` a new conversation begins. Where no `agentId` names who
    answers it, the client's routing does by `purpose`, `language` (such as de-AT), `tags` and `metadata`, which are
    looked at when a conversation begins and not kept; without rules, the active agent answers. The same
    `idempotencyKey` with the same request always gets the same answer. With `stream` it comes as server-sent events:
    `accepted`, `delta`, `variable.noted`, `tool.called`, `tool.finished`, `fields.noted`, `conversation.handed_over`,
    and `done` with the whole answer, or `error` with a problem."""

    model_config = _CAMEL | with_examples(
        {"message": "When are you open?", "leadId": "customer-17", "conversationId": "chat-2041"},
        {"message": "Hi", "leadId": "customer-17", "purpose": "sales", "metadata": {"tier": "gold"}},
        {"message": "yes", "leadEmail": "ada@example.com", "idempotencyKey": "mail-88-2", "stream": True},
    )
    message: str
    lead_id: str | None = None
    lead_email: str | None = None
    conversation_id: str | None = None
    topic: Annotated[str, Field(max_length=200)] | None = None
    client_id: str | None = None
    agent_id: UUID | None = None
    model: Annotated[str, Field(max_length=200)] | None = None
    purpose: Annotated[str, Field(max_length=64)] | None = None
    language: Annotated[str, Field(max_length=35)] | None = None
    tags: list[Annotated[str, Field(max_length=64)]] = []
    metadata: dict[str, Any] = {}
    idempotency_key: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    stream: bool = False


class ToolCallOut(BaseModel):
    """A tool that the agent used for this answer, and what came of it."""

    name: str
    arguments: Mapping[str, Any]
    output: Mapping[str, Any]


class UsageOut(BaseModel):
    """What the answer used, in tokens and in millionths of a US dollar."""

    model_config = _CAMEL
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost_micros: int


class ReplyOut(BaseModel):
    """The answer. `variables` are all values known by now, `missing` the required ones that are not known or not
    confirmed, `degraded` each step down that the answer took, `fields` the agent's turn fields. `stopped` is null, or
    "interrupted" by a newer message, or "cancelled"; the reply is then what was said until that moment.
    `ended` says that the contact is done."""

    model_config = _CAMEL
    reply: str
    quick_replies: list[str]
    conversation_id: UUID
    turn_id: UUID
    agent_id: UUID
    variables: Mapping[str, Any]
    missing: list[str]
    tool_calls: list[ToolCallOut]
    degraded: list[str]
    fields: Mapping[str, Any]
    model: str
    usage: UsageOut
    stopped: Literal["interrupted", "cancelled"] | None
    ended: bool


class ConfigOut(BaseModel):
    """A client's active configuration: the agent that answers when a request names none."""

    model_config = _CAMEL
    client_id: str
    agent_id: UUID
    revision: int
    name: str
    personality: str
    tonality: str
    response_style: str
    dos_list: list[str]
    donts_list: list[str]
    system_prompt: str
    greeting: str
    language: str
    region: str
    time_zone: str
    business_hours: list[OpeningHours]
    appointments: AppointmentRules
    variables: list[Variable]
    functions: list[Function]
    model: str | None

    @classmethod
    def of(cls, client_id: str, agent: AgentRecord, definition: AgentDefinition) -> "ConfigOut":
        """The active agent, which answers by this definition, as the configuration shows it."""
        same = {name: getattr(definition, name) for name in _SAME_NAME}
        return cls(
            client_id=client_id,
            agent_id=agent.id,
            revision=agent.revision,
            dos_list=list(definition.dos),
            donts_list=list(definition.donts),
            system_prompt=definition.instructions,
            **same,
        )


_SAME_NAME = (
    "name",
    "personality",
    "tonality",
    "response_style",
    "greeting",
    "language",
    "region",
    "time_zone",
    "business_hours",
    "appointments",
    "variables",
    "functions",
    "model",
)
_OTHER_NAME = {"dos_list": "dos", "donts_list": "donts", "system_prompt": "instructions"}


class ConfigIn(BaseModel):
    """What to change of the active configuration; what is left out stays. `agentId` makes that agent the active one
    first. With `revision`, the change is refused when someone else changed the configuration since."""

    model_config = _CAMEL | with_examples({"greeting": "Good to see you!", "dosList": ["Say when you do not know."]})
    agent_id: UUID | None = None
    revision: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    name: str | None = None
    personality: str | None = None
    tonality: str | None = None
    response_style: str | None = None
    dos_list: list[str] | None = None
    donts_list: list[str] | None = None
    system_prompt: str | None = None
    greeting: str | None = None
    language: str | None = None
    region: str | None = None
    time_zone: str | None = None
    business_hours: list[OpeningHours] | None = None
    appointments: AppointmentRules | None = None
    variables: list[Variable] | None = None
    functions: list[Function] | None = None
    model: str | None = None

    def changes(self) -> dict[str, Any]:
        """The given fields by their name in `AgentDefinition`."""
        given = self.model_dump(exclude={"agent_id", "revision"}, exclude_unset=True)
        return {_OTHER_NAME.get(name, name): value for name, value in given.items()}


class ComponentOut(BaseModel):
    """One part that a reply depends on."""

    state: Literal["ok", "degraded", "unavailable", "not_configured"]
    detail: str


class HealthOut(BaseModel):
    """Whether replies for the client would be whole now. `status` is the worst state of what is configured."""

    model_config = _CAMEL
    client_id: str
    status: Literal["ok", "degraded", "unavailable"]
    database: ComponentOut
    model: ComponentOut
    memory: ComponentOut
    calendar: ComponentOut
