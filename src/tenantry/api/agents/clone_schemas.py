"""What the routes of clones take and give."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from tenantry.api.agents.schemas import ChangeOut, Tag
from tenantry.domain.definition_merge import Conflict
from tenantry.domain.errors import FieldError
from tenantry.domain.origin import Clone, CloneUpdate, Origin

Path = Annotated[str, Field(min_length=1, max_length=500)]
Note = Annotated[str, Field(max_length=500, description="Why, for whoever reads the clones' histories.")]


class CloneCreate(BaseModel):
    """A clone. Without `name` and `tags` it has those of what it is made from; without `owner_member_id` it is the
    key's member's; with a tenant's key, the tenant's."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "Jon's seller", "tags": ["seller"], "publish": True}]}
    )
    name: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    owner_member_id: UUID | None = None
    tags: Annotated[list[Tag], Field(max_length=50)] | None = None
    publish: bool = False


class OriginUpdateIn(BaseModel):
    """Take what is new at the origin. `take` names fields that both changed, or what holds them, in which the origin's
    value is to be taken; in the others the clone's stays. Without `publish` only the draft changes."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"dry_run": True}, {"take": ["variables.email"]}]}
    )
    dry_run: bool = False
    take: Annotated[list[Path], Field(max_length=500)] = []
    publish: bool = True
    note: Note = ""


class ClonesUpdateIn(BaseModel):
    """Bring what is new to the clones that the key may change: up to `limit` of them in the order of their ids, after
    the one with the id `after`."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"dry_run": True}, {"note": "New opening hours"}]}
    )
    dry_run: bool = False
    publish: bool = True
    note: Note = ""
    after: UUID | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 1000


class SourceOut(BaseModel):
    """What a clone was made from: an agent, or a built-in template."""

    agent_id: UUID | None
    built_in: str | None
    name: str

    @classmethod
    def of(cls, origin: Origin) -> "SourceOut":
        """The source as it is shown."""
        return cls(agent_id=origin.template_agent_id, built_in=origin.built_in, name=origin.definition.name)


class ConflictOut(BaseModel):
    """A field that the clone and its origin both changed: what it was, is in the clone, and is at the origin."""

    path: str
    base: Any
    mine: Any
    theirs: Any

    @classmethod
    def of(cls, conflict: Conflict) -> "ConflictOut":
        """The conflict as it is shown."""
        return cls(path=conflict.path, base=conflict.base, mine=conflict.mine, theirs=conflict.theirs)


class OriginOut(BaseModel):
    """Where a clone comes from. `version` is the one it took last and `newest_version` the one that answers there now,
    null for built-in templates; with the source gone, or not to be seen, only the clone's own changes are known.
    `own_changes` leads from what was taken to the clone's draft, `incoming` is what an update would change in it."""

    source: SourceOut
    version: int | None
    newest_version: int | None
    state: Literal["up_to_date", "behind", "source_gone"]
    own_changes: list[ChangeOut]
    incoming: list[ChangeOut]
    conflicts: list[ConflictOut]


class OriginUpdateOut(BaseModel):
    """What an update changed in the draft, or with `dry_run` would; in conflicts the clone's value stays.
    `published` is the version of the clone that answers after it."""

    dry_run: bool
    changed: bool
    version: int | None
    taken: list[ChangeOut]
    conflicts: list[ConflictOut]
    revision: int
    published: int | None


class FieldErrorOut(BaseModel):
    """What is wrong with a field."""

    field: str
    message: str

    @classmethod
    def of(cls, error: FieldError) -> "FieldErrorOut":
        """The error as it is shown."""
        return cls(field=error.field, message=error.message)


Outcome = Literal["updated", "unchanged", "conflicts", "failed"]


class CloneResultOut(BaseModel):
    """What became of one clone. With `conflicts` it took the fields in `taken` and kept its own in those; a failed one
    is as it was."""

    agent_id: UUID
    owner_member_id: UUID | None
    name: str
    outcome: Outcome
    taken: list[str] = []
    conflicts: list[str] = []
    errors: list[FieldErrorOut] = []

    @classmethod
    def of(cls, update: CloneUpdate) -> "CloneResultOut":
        """The result of an update that is possible."""
        agent = update.clone.agent
        conflicts = [conflict.path for conflict in update.conflicts]
        return cls(
            agent_id=agent.id,
            owner_member_id=agent.owner_member_id,
            name=agent.definition.name,
            outcome="conflicts" if conflicts else "updated" if update.changes else "unchanged",
            taken=[change.path for change in update.taken],
            conflicts=conflicts,
        )

    @classmethod
    def without_update(cls, clone: Clone, outcome: Outcome, errors: Sequence[FieldErrorOut] = ()) -> "CloneResultOut":
        """The result for a clone that stays as it is."""
        agent = clone.agent
        return cls(
            agent_id=agent.id,
            owner_member_id=agent.owner_member_id,
            name=agent.definition.name,
            outcome=outcome,
            errors=list(errors),
        )


class ClonesUpdateOut(BaseModel):
    """How many clones met which outcome, and each of them. There are more where `next_cursor`, the next `after`, is no
    null. `version` is what they took, null for built-in templates."""

    dry_run: bool
    source: SourceOut
    version: int | None
    counts: dict[Outcome, int]
    items: list[CloneResultOut]
    next_cursor: UUID | None = None
