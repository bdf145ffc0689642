"""Templates, the clones that are made from them, and what clones take of what is new there."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tenantry.client.agents import Agent, FieldChange
from tenantry.client.transport import Transport, given
from tenantry.domain.agent import AgentDefinition
from tenantry.domain.errors import FieldError

_PATH = "/api/v1/templates"


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A template that comes with the product."""

    type: str
    tags: tuple[str, ...]
    definition: AgentDefinition


@dataclass(frozen=True, slots=True)
class BuiltInSummary:
    """A template that comes with the product: what its agents are called, collect, tell with every turn and may do."""

    type: str
    name: str
    tags: tuple[str, ...]
    variables: tuple[str, ...]
    turn_fields: tuple[str, ...]
    functions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BuiltInList:
    """All that come with the product."""

    built_in: tuple[BuiltInSummary, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """What a clone was made from: an agent, or a built-in template."""

    agent_id: UUID | None
    built_in: str | None
    name: str


@dataclass(frozen=True, slots=True)
class FieldConflict:
    """A field that a clone and its origin both changed."""

    path: str
    base: Any
    mine: Any
    theirs: Any


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a clone comes from: `state` is up_to_date, behind or source_gone; `incoming` is what an update would change
    in it. Built-in templates have no versions."""

    source: Source
    version: int | None
    newest_version: int | None
    state: str
    own_changes: tuple[FieldChange, ...]
    incoming: tuple[FieldChange, ...]
    conflicts: tuple[FieldConflict, ...]


@dataclass(frozen=True, slots=True)
class CloneUpdate:
    """What an update changed in the draft of a clone; in conflicts the clone's value stays."""

    dry_run: bool
    changed: bool
    version: int | None
    taken: tuple[FieldChange, ...]
    conflicts: tuple[FieldConflict, ...]
    revision: int
    published: int | None


@dataclass(frozen=True, slots=True)
class CloneResult:
    """What became of one clone: `outcome` is updated, unchanged, conflicts or failed, with the paths of the fields."""

    agent_id: UUID
    owner_member_id: UUID | None
    name: str
    outcome: str
    taken: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    errors: tuple[FieldError, ...] = ()


@dataclass(frozen=True, slots=True)
class CloneUpdates:
    """What became of up to 1,000 clones; there are more where `next_cursor`, the next `after`, is given."""

    dry_run: bool
    source: Source
    version: int | None
    counts: Mapping[str, int]
    items: tuple[CloneResult, ...]
    next_cursor: UUID | None = None


class Templates:
    """`/api/v1/templates`, and clones and origins of agents. Every method raises ApiError. What clones are made from is
    an agent's id, or the name of a built-in template."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def built_in(self) -> tuple[BuiltInSummary, ...]:
        """The templates that come with the product."""
        return (await self._transport.call("GET", _PATH, BuiltInList)).built_in

    def list(self) -> AsyncGenerator[Agent]:
        """The tenant's own templates, newest first."""
        return self._transport.pages(_PATH, Agent)

    async def get(self, name: str) -> BuiltIn:
        """A built-in template with its definition."""
        return await self._transport.call("GET", f"{_PATH}/{name}", BuiltIn)

    async def clone(
        self,
        source: UUID | str,
        *,
        name: str | None = None,
        owner_member_id: UUID | None = None,
        tags: Sequence[str] | None = None,
        publish: bool = False,
    ) -> Agent:
        """Make an agent from another one or from a built-in template."""
        body = given(name=name, owner_member_id=owner_member_id, tags=tags, publish=publish)
        return await self._transport.call("POST", f"{_source(source)}/clones", Agent, body=body)

    async def origin(self, agent_id: UUID) -> Origin:
        """Where a clone comes from, what was changed in it since, and what is new there."""
        return await self._transport.call("GET", f"/api/v1/agents/{agent_id}/origin", Origin)

    async def update(
        self, agent_id: UUID, *, take: Sequence[str] = (), publish: bool = True, note: str = "", dry_run: bool = False
    ) -> CloneUpdate:
        """Take what is new at a clone's origin; in the fields of `take` also where the clone has changed them."""
        body = {"take": list(take), "publish": publish, "note": note, "dry_run": dry_run}
        return await self._transport.call("POST", f"/api/v1/agents/{agent_id}/origin/update", CloneUpdate, body=body)

    async def update_clones(
        self,
        source: UUID | str,
        *,
        publish: bool = True,
        note: str = "",
        dry_run: bool = False,
        after: UUID | None = None,
        limit: int = 1000,
    ) -> CloneUpdates:
        """Bring what is new in an agent or a built-in template to its clones, and keep what was changed in each."""
        body = given(publish=publish, note=note, dry_run=dry_run, after=after, limit=limit)
        return await self._transport.call("POST", f"{_source(source)}/clones/update", CloneUpdates, body=body)


def _source(source: UUID | str) -> str:
    return f"/api/v1/agents/{source}" if isinstance(source, UUID) else f"{_PATH}/{source}"
