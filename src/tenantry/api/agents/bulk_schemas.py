"""What the route of changes to many agents takes and gives."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tenantry.api.agents.schemas import Note, Tag
from tenantry.storage.repositories.agents import AgentFilter

MOST = 1000
_STRICT = ConfigDict(extra="forbid")


class AgentSelection(BaseModel):
    """Which agents are meant: those of these `ids`, or all that match everything else that is given. `all` is every
    agent that the key can see."""

    model_config = _STRICT
    ids: Annotated[list[UUID], Field(min_length=1, max_length=MOST)] | None = None
    tags: Annotated[list[Tag], Field(max_length=50)] = []
    owner_member_id: UUID | None = None
    tenants_own: bool = False
    name: Annotated[str, Field(max_length=200)] | None = None
    template: bool | None = None
    all: bool = False

    @model_validator(mode="after")
    def _check(self) -> "AgentSelection":
        matching = self.filter() != AgentFilter() or self.all
        if self.ids is not None and matching:
            raise ValueError("`ids` stand alone; leave out the rest, or leave out `ids`")
        if self.ids is None and not matching:
            raise ValueError("nothing is selected; say which agents are meant, or `all`")
        return self

    def filter(self) -> AgentFilter:
        """All but the ids."""
        return AgentFilter(tuple(self.tags), self.owner_member_id, self.tenants_own, self.name, self.template)


class DraftPatch(BaseModel):
    """A JSON merge patch (RFC 7396) of the draft, in which variables, functions and turn fields are found by name.
    With `publish` what comes of it answers from now on, with whatever else the draft had changed."""

    model_config = _STRICT
    patch: dict[str, Any]
    publish: bool = False
    note: Note = ""


class BulkPublication(BaseModel):
    """Publish the drafts."""

    model_config = _STRICT
    note: Note = ""


class TagChange(BaseModel):
    """Tags to give and to take away."""

    model_config = _STRICT
    add: Annotated[list[Tag], Field(max_length=50)] = []
    remove: Annotated[list[Tag], Field(max_length=50)] = []


class Deletion(BaseModel):
    """Take the agents out of use; their conversations and bookings stay."""

    model_config = _STRICT


class HandOver(BaseModel):
    """Whose the agents are to be: a member's or, with null, the tenant's."""

    model_config = _STRICT
    member_id: UUID | None


class BulkAction(BaseModel):
    """What is to be done: one of these."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"minProperties": 1, "maxProperties": 1})
    change: DraftPatch | None = None
    publish: BulkPublication | None = None
    tag: TagChange | None = None
    delete: Deletion | None = None
    hand_over: HandOver | None = None

    @model_validator(mode="after")
    def _check(self) -> "BulkAction":
        if sum(given is not None for _, given in self) != 1:
            raise ValueError("give exactly one of change, publish, tag, delete, hand_over")
        return self


class BulkIn(BaseModel):
    """One thing to do to many agents; with `dry_run` nothing is changed, only told."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "select": {"tags": ["sales"]},
                    "action": {"change": {"patch": {"tonality": "Calm and clear."}, "publish": True}},
                    "dry_run": True,
                },
                {"select": {"tenants_own": True}, "action": {"tag": {"add": ["2026"], "remove": ["2025"]}}},
            ]
        },
    )
    select: AgentSelection
    action: BulkAction
    dry_run: bool = False


class BulkItemOut(BaseModel):
    """What became of one agent. `code` and `detail` are those of the error where it failed; `changes` tell what is
    different now, a line each: of the draft or, when publishing, of what answers. `name` is null for an agent that the
    key may not change."""

    agent_id: UUID
    name: str | None
    result: Literal["changed", "unchanged", "failed"]
    code: str | None = None
    detail: str | None = None
    changes: list[str] = []


class BulkOut(BaseModel):
    """What became of the selected agents, in the order of their ids; after a dry run, what would."""

    dry_run: bool
    changed: int
    unchanged: int
    failed: int
    items: list[BulkItemOut]
