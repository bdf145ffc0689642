"""Agents: their drafts, their versions, and changes to many at once."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from tenantry.client.transport import Transport, given
from tenantry.domain.agent import AgentDefinition, TurnField

_PATH = "/api/v1/agents"


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent: `definition` is its draft and `revision` counts that one's changes; `published` is the version that
    answers, None while there is none; `status` is draft, published or changed. No owner: it is the tenant's."""

    id: UUID
    owner_member_id: UUID | None
    revision: int
    definition: AgentDefinition
    published: int | None
    status: str
    tags: tuple[str, ...]
    is_template: bool
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Version:
    """What an agent was when it was published; `restores` is the version that a roll-back brought back."""

    number: int
    definition: AgentDefinition
    note: str
    restores: int | None
    published_by: str
    published_at: datetime


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that differs; `text` says it in a line."""

    path: str
    kind: str
    before: Any
    after: Any
    text: str


@dataclass(frozen=True, slots=True)
class Differences:
    """What differs, field by field."""

    changes: tuple[FieldChange, ...]


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool as the model is shown it."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Preview:
    """What a model would get, and which functions it would not, because nothing runs them."""

    model: str
    system_prompt: str
    tools: tuple[Tool, ...]
    functions_without_tool: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BulkItem:
    """What became of one agent: `result` is changed, unchanged or failed, with the error's `code` and `detail`;
    `changes` tell what is different now, a line each."""

    agent_id: UUID
    name: str | None
    result: str
    code: str | None = None
    detail: str | None = None
    changes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BulkResult:
    """What became of many agents; after a dry run, what would."""

    dry_run: bool
    changed: int
    unchanged: int
    failed: int
    items: tuple[BulkItem, ...]


@dataclass(frozen=True, slots=True)
class SetUpType:
    """What became of one built-in type: `result` is created, existed or failed, with the `detail`."""

    type: str
    result: str
    agent_id: UUID | None
    turn_fields: tuple[TurnField, ...]
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class StartingSet:
    """What became of the types that were asked for."""

    items: tuple[SetUpType, ...]


class Agents:
    """`/api/v1/agents`. Every method raises ApiError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        tags: Sequence[str] = (),
        owner_member_id: UUID | None = None,
        tenants_own: bool = False,
        name: str | None = None,
        template: bool | None = None,
    ) -> AsyncGenerator[Agent]:
        """The agents that the key can see and that match all that is asked for, newest first."""
        return self._transport.pages(
            f"{_PATH}/list",
            Agent,
            tag=tags,
            owner_member_id=owner_member_id,
            tenants_own=tenants_own,
            name=name,
            template=template,
        )

    async def get(self, agent_id: UUID) -> Agent:
        """One agent."""
        return await self._transport.call("GET", f"{_PATH}/{agent_id}", Agent)

    async def create(
        self,
        definition: AgentDefinition,
        *,
        owner_member_id: UUID | None = None,
        tags: Sequence[str] = (),
        publish: bool = False,
        note: str = "",
    ) -> Agent:
        """Make an agent. Without an owner it is the key's member's or, with a tenant's key, the tenant's."""
        body = given(
            definition=definition, owner_member_id=owner_member_id, tags=list(tags), publish=publish, note=note
        )
        return await self._transport.call("POST", _PATH, Agent, body=body)

    async def change(
        self,
        agent_id: UUID,
        definition: AgentDefinition,
        revision: int,
        *,
        tags: Sequence[str] | None = None,
        publish: bool = False,
        note: str = "",
    ) -> Agent:
        """Replace the draft that was read with this revision; without `tags` they stay. A 409 `conflict` has the
        `differences` when somebody else changed it since."""
        body = given(
            definition=definition,
            revision=revision,
            tags=None if tags is None else list(tags),
            publish=publish,
            note=note,
        )
        return await self._transport.call("PUT", f"{_PATH}/{agent_id}", Agent, body=body)

    async def delete(self, agent_id: UUID) -> None:
        """Take an agent out of use; its conversations and bookings stay."""
        await self._transport.call("DELETE", f"{_PATH}/{agent_id}", type(None))

    async def preview(self, agent_id: UUID, version: int | None = None) -> Preview:
        """The prompt and the tools that a model would get now, of the draft or of a version."""
        return await self._transport.call("GET", f"{_PATH}/{agent_id}/preview", Preview, params={"version": version})

    async def set_template(self, agent_id: UUID, *, is_template: bool) -> Agent:
        """Make an agent of the tenant a template for its members, or no longer one."""
        body = {"is_template": is_template}
        return await self._transport.call("PUT", f"{_PATH}/{agent_id}/template", Agent, body=body)

    async def publish(self, agent_id: UUID, *, note: str = "", revision: int | None = None) -> Agent:
        """Make the draft the next version, which answers from now on; with `revision`, only that draft."""
        body = given(note=note, revision=revision)
        return await self._transport.call("POST", f"{_PATH}/{agent_id}/publish", Agent, body=body)

    def versions(self, agent_id: UUID) -> AsyncGenerator[Version]:
        """The versions of an agent, newest first."""
        return self._transport.pages(f"{_PATH}/{agent_id}/versions", Version)

    async def version(self, agent_id: UUID, number: int) -> Version:
        """One version of an agent."""
        return await self._transport.call("GET", f"{_PATH}/{agent_id}/versions/{number}", Version)

    async def compare(self, agent_id: UUID, before: int, after: int | None = None) -> tuple[FieldChange, ...]:
        """What leads from one version to another, or to the draft."""
        params = {"before": before, "after": after}
        return (await self._transport.call("GET", f"{_PATH}/{agent_id}/diff", Differences, params=params)).changes

    async def roll_back(self, agent_id: UUID, version: int, *, note: str = "") -> Agent:
        """Make an earlier version the next one, which answers from now on."""
        body = {"version": version, "note": note}
        return await self._transport.call("POST", f"{_PATH}/{agent_id}/rollback", Agent, body=body)

    async def bulk(self, select: Mapping[str, Any], action: Mapping[str, Any], *, dry_run: bool = False) -> BulkResult:
        """Do one thing to many agents, up to 1,000: `select` and `action` are those of `POST /api/v1/agents/bulk`,
        such as `{"tags": ["sales"]}` and `{"change": {"patch": {"tonality": "Calm."}, "publish": True}}`."""
        body = {"select": select, "action": action, "dry_run": dry_run}
        return await self._transport.call("POST", f"{_PATH}/bulk", BulkResult, body=body)

    async def set_up(self, types: Sequence[str] | None = None) -> StartingSet:
        """Make the agents of the built-in types that are not there yet; of all types when none is named. What is there
        stays as it is, so that this may be repeated."""
        body = given(types=None if types is None else list(types))
        return await self._transport.call("POST", f"{_PATH}/setup", StartingSet, body=body, repeatable=True)
