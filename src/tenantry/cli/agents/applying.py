"""Makes the agents of a tenant as files say."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from tenantry.agent_files.agent_file import AgentFile
from tenantry.cli.agents.files import Source
from tenantry.client import ApiError, ServerUnreachable, TenantryClient
from tenantry.client.agents import Agent
from tenantry.domain.definition_changes import Change, changes, describe

Result = Literal["created", "changed", "unchanged", "failed"]
_Key = tuple[UUID | None, str]

TENANT = "(tenant)"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one agent of a file; `lines` say what is different, or why it failed."""

    source: str
    result: Result
    agent: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Manner:
    """How files are applied: whether only to say what would be done, whether what changes is published too, and
    whether agents that are there are changed at all."""

    dry_run: bool = False
    publish: bool = True
    change: bool = True


class _Refused(Exception):
    """What a file asks for cannot be done; the text says why."""


async def apply_sources(client: TenantryClient, sources: Sequence[Source], manner: Manner) -> AsyncGenerator[Outcome]:
    """Make the agent of each file, or change the one of its owner and name. Raises ApiError for what concerns all."""
    members = {member.email: member.id for member in await client.members.list()}
    there: dict[_Key, list[Agent]] = {}
    async for agent in client.agents.list():
        there.setdefault((agent.owner_member_id, agent.definition.name), []).append(agent)
    applying = _Applying(client, manner, members, there)
    for source in sources:
        yield await applying.one(source)


class _Applying:
    def __init__(
        self,
        client: TenantryClient,
        manner: Manner,
        members: dict[str, UUID],
        there: dict[_Key, list[Agent]],
    ) -> None:
        self._client = client
        self._manner = manner
        self._members = members
        self._there = there
        self._sources: dict[_Key, str] = {}

    async def one(self, source: Source) -> Outcome:
        """What became of this file's agent."""
        if source.file is None:
            return Outcome(source.name, "failed", "", (source.fault,))
        head, name = source.file.head, source.file.definition.name
        shown = f"{name} {head.owner or TENANT}"
        try:
            key = self._key(source, source.file)
            same = self._there.get(key, [])
            if len(same) > 1:
                ids = ", ".join(str(agent.id) for agent in same)
                raise _Refused(f"{len(same)} agents of this owner are called {name!r}: {ids}; rename all but one")
            result, lines = await self._brought(source.file, key, same[0] if same else None)
            return Outcome(source.name, result, shown, lines)
        except _Refused as error:
            return Outcome(source.name, "failed", shown, (str(error),))
        except ServerUnreachable:
            raise
        except ApiError as error:
            faults = (f"{fault.field}: {fault.message}" for fault in error.errors)
            return Outcome(source.name, "failed", shown, (error.detail, *faults))

    def _key(self, source: Source, file: AgentFile) -> _Key:
        owner = file.head.owner
        if owner is not None and owner.lower() not in self._members:
            raise _Refused(f"{owner} is no member of this tenant; `tenantry member add {owner}` makes one")
        if owner is not None and file.head.template:
            raise _Refused("only agents of the tenant can be templates; leave out `owner` or `template`")
        key = (None if owner is None else self._members[owner.lower()], file.definition.name)
        if (earlier := self._sources.setdefault(key, source.name)) != source.name:
            raise _Refused(f"{earlier} has an agent of the same owner and name; rename one of them")
        return key

    async def _brought(self, file: AgentFile, key: _Key, agent: Agent | None) -> tuple[Result, tuple[str, ...]]:
        if agent is None:
            await self._create(file, key)
            return "created", ()
        if not self._manner.change:
            raise _Refused(f"there is an agent of this owner and name, {agent.id}; `apply` changes it")
        differences = tuple(describe(change) for change in _differences(agent, file))
        publishes = self._manner.publish and (agent.status != "published")
        if not differences and not publishes:
            return "unchanged", ()
        if not self._manner.dry_run:
            await self._change(file, agent)
        return "changed", differences or ("+ publishes the draft, which had changed",)

    async def _create(self, file: AgentFile, key: _Key) -> None:
        if self._manner.dry_run:
            return
        agent = await self._client.agents.create(
            file.definition, owner_member_id=key[0], tags=file.head.tags, publish=self._manner.publish
        )
        if file.head.template:
            await self._client.agents.set_template(agent.id, is_template=True)

    async def _change(self, file: AgentFile, agent: Agent) -> None:
        publish = self._manner.publish
        if agent.definition != file.definition or agent.tags != file.head.tags:
            await self._client.agents.change(
                agent.id, file.definition, agent.revision, tags=file.head.tags, publish=publish
            )
        elif publish and agent.status != "published":
            await self._client.agents.publish(agent.id, revision=agent.revision)
        if agent.is_template != file.head.template:
            await self._client.agents.set_template(agent.id, is_template=file.head.template)


def _differences(agent: Agent, file: AgentFile) -> tuple[Change, ...]:
    head = file.head
    found = changes(agent.definition, file.definition)
    if agent.tags != head.tags:
        found += (Change("tags", "changed", list(agent.tags), list(head.tags)),)
    if agent.is_template != head.template:
        found += (Change("template", "changed", agent.is_template, head.template),)
    return found
