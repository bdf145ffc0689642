"""Where a clone comes from, and what a newer version of that makes of it."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from tenantry.domain.agent import AgentDefinition, AgentRecord
from tenantry.domain.definition_changes import Change
from tenantry.domain.definition_merge import Conflict, merge


@dataclass(frozen=True, slots=True)
class Origin:
    """What an agent is a clone of, as it was when the clone took it last: an agent of the tenant in one of its
    versions, or, with no `version`, a built-in template. `definition` is the base of every merge."""

    template_agent_id: UUID | None
    built_in: str | None
    version: int | None
    definition: AgentDefinition

    def is_older_than(self, newest: "Origin") -> bool:
        """Whether the other, of the same source, is one to be taken. A version never goes back to an earlier one."""
        if self.version is not None and newest.version is not None:
            return self.version < newest.version
        return self.definition != newest.definition

    @property
    def shown(self) -> str:
        """The source in a note."""
        if self.built_in is not None:
            return f"the built-in template {self.built_in}"
        return f"version {self.version} of {self.definition.name!r} ({self.template_agent_id})"


@dataclass(frozen=True, slots=True)
class Clone:
    """An agent with its origin. `answers` is the version that answers where that is not the draft, else None."""

    agent: AgentRecord
    origin: Origin
    answers: AgentDefinition | None


@dataclass(frozen=True, slots=True)
class CloneUpdate:
    """What a newer version of its origin makes of a clone: its draft, and what is to be published, None when that is
    nothing. `taken` is what changes in the draft; a conflict holds what the clone had."""

    clone: Clone
    newest: Origin
    draft: AgentDefinition
    published: AgentDefinition | None
    taken: tuple[Change, ...]
    conflicts: tuple[Conflict, ...]

    @property
    def changes_draft(self) -> bool:
        """Whether the draft becomes another one."""
        return self.draft != self.clone.agent.definition

    @property
    def changes(self) -> bool:
        """Whether anything of the agent becomes another, besides what it remembers of its origin."""
        return self.changes_draft or self.published is not None


def update_clone(clone: Clone, newest: Origin, *, take: Collection[str] = (), publish: bool = True) -> CloneUpdate:
    """Merge what is new at the origin into the clone, field by field; what its owner changed stays.

    The draft and what answers are each merged by themselves, so that neither a change of the origin waits for a draft
    that is not ready, nor a draft goes out by a change of the origin. A clone without unpublished changes has the same
    in both. Without `publish`, and where nothing was published yet, only the draft is merged. A conflict at a path in
    `take`, or under one, is decided for the origin.
    """
    base = clone.origin.definition
    draft = merge(base, clone.agent.definition, newest.definition, take)
    conflicts = {conflict.path: conflict for conflict in draft.conflicts}
    published: AgentDefinition | None = None
    if publish and clone.agent.published is not None:
        answers = clone.answers or clone.agent.definition
        merged = draft if clone.answers is None else merge(base, answers, newest.definition, take)
        conflicts = {conflict.path: conflict for conflict in merged.conflicts} | conflicts
        published = merged.definition if merged.definition != answers else None
    return CloneUpdate(clone, newest, draft.definition, published, draft.taken, tuple(conflicts.values()))
