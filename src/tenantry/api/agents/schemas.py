"""What the agents' routes take and give."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from tenantry.api.common import Page, with_examples
from tenantry.domain.agent import AgentDefinition, AgentRecord, AgentStatus, AgentVersion
from tenantry.domain.definition_changes import Change, describe
from tenantry.storage.repositories.personal_agents import PersonalAgent

Tag = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\s,][^,\x00-\x1f]*$")]
Note = Annotated[str, Field(max_length=1000, description="What changed and why, for whoever reads the history.")]
Revision = Annotated[int, Field(ge=1, le=2**31 - 1)]
Number = Annotated[int, Field(ge=1, le=2**31 - 1)]

_EXAMPLE: dict[str, Any] = {
    "name": "Front desk",
    "personality": "Helpful, patient and honest.",
    "greeting": "Hello! How can I help you?",
    "time_zone": "Europe/London",
    "region": "GB",
    "variables": [
        {"name": "full_name", "type": "name", "question": "What is your name?"},
        {"name": "email", "type": "email", "question": "Which e-mail address may we write to?"},
    ],
    "functions": [{"name": "check_availability"}, {"name": "set_appointment", "variables": ["full_name", "email"]}],
    "turn_fields": [{"name": "sentiment", "type": "choice", "choices": ["good", "neutral", "bad"]}],
}


class AgentCreate(BaseModel):
    """A new agent. Without `owner_member_id` it is the key's member's; with a tenant's key, the tenant's."""

    model_config = with_examples({"definition": _EXAMPLE, "tags": ["front-desk"], "publish": True})
    definition: AgentDefinition
    owner_member_id: UUID | None = None
    tags: Annotated[list[Tag], Field(max_length=50)] = []
    publish: bool = False
    note: Note = ""


class AgentChange(BaseModel):
    """A new draft for the one that was read with this revision; without `tags` they stay."""

    model_config = with_examples({"definition": _EXAMPLE, "revision": 1, "publish": True, "note": "Friendlier."})
    definition: AgentDefinition
    revision: Revision
    tags: Annotated[list[Tag], Field(max_length=50)] | None = None
    publish: bool = False
    note: Note = ""


class Publication(BaseModel):
    """Publish the draft, or only the one that was read with this revision."""

    model_config = with_examples({"note": "Asks for the e-mail address first."})
    note: Note = ""
    revision: Revision | None = None


class RollBack(BaseModel):
    """Which version is to answer again."""

    model_config = with_examples({"version": 1, "note": "The new greeting was too long."})
    version: Number
    note: Note = ""


class AgentOut(BaseModel):
    """An agent; `owner_member_id` null means that the tenant owns it. `definition` is the draft; `published` is the
    version that answers, null while there is none; `status` says whether the draft has changes since."""

    id: UUID
    owner_member_id: UUID | None
    revision: int
    definition: AgentDefinition
    published: int | None
    status: AgentStatus
    tags: list[str]
    is_template: bool
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None

    @classmethod
    def of(cls, agent: AgentRecord) -> "AgentOut":
        """The agent as it is shown."""
        return cls(
            id=agent.id,
            owner_member_id=agent.owner_member_id,
            revision=agent.revision,
            definition=agent.definition,
            published=agent.published,
            status=agent.status,
            tags=list(agent.tags),
            is_template=agent.is_template,
            created_at=agent.created_at,
            updated_at=agent.updated_at,
            archived_at=agent.archived_at,
        )


class AgentPage(Page):
    """Agents, newest first."""

    items: list[AgentOut]


class VersionOut(BaseModel):
    """What an agent was when it was published; `restores` is the version that a roll-back brought back."""

    number: int
    definition: AgentDefinition
    note: str
    restores: int | None
    published_by: str
    published_at: datetime

    @classmethod
    def of(cls, version: AgentVersion) -> "VersionOut":
        """The version as it is shown."""
        return cls(
            number=version.number,
            definition=version.definition,
            note=version.note,
            restores=version.restores,
            published_by=version.published_by,
            published_at=version.published_at,
        )


class VersionPage(BaseModel):
    """Versions, newest first."""

    items: list[VersionOut]
    next_cursor: int | None = None


class ChangeOut(BaseModel):
    """One field that differs; `text` says it in a line."""

    path: str
    kind: Literal["added", "removed", "changed"]
    before: Any
    after: Any
    text: str

    @classmethod
    def of(cls, change: Change) -> "ChangeOut":
        """The change as it is shown."""
        return cls(path=change.path, kind=change.kind, before=change.before, after=change.after, text=describe(change))


class DiffOut(BaseModel):
    """What differs, field by field; empty when nothing does."""

    changes: list[ChangeOut]


class PersonalIn(BaseModel):
    """What a contact's own instance has different from the agent: a JSON merge patch (RFC 7396) of its definition, in
    which variables, functions and turn fields are addressed by their name."""

    model_config = with_examples({"changes": {"name": "Ada's assistant", "tonality": "Brief and dry."}})
    changes: dict[str, Any]
    revision: Revision | None = None


class PersonalOut(BaseModel):
    """A contact's own instance of an agent."""

    contact_id: UUID
    revision: int
    changes: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, instance: PersonalAgent) -> "PersonalOut":
        """The instance as it is shown."""
        return cls(
            contact_id=instance.contact_id,
            revision=instance.revision,
            changes=instance.changes,
            created_at=instance.created_at,
            updated_at=instance.updated_at,
        )


class PersonalPage(Page):
    """Instances, in the order of their contacts' ids."""

    items: list[PersonalOut]


class ToolOut(BaseModel):
    """A tool as the model is shown it."""

    name: str
    description: str
    parameters: Mapping[str, Any]


class AgentPreview(BaseModel):
    """Exactly what the model would get now, and which functions it would not get because nothing runs them."""

    model: str
    system_prompt: str
    tools: list[ToolOut]
    functions_without_tool: list[str]
