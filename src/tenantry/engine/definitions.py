"""What agents are in each of their versions, and what follows from it alone, kept for as long as they are in use."""

import time
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from cachetools import TTLCache

from tenantry.domain.agent import Agent, AgentDefinition
from tenantry.domain.definition_patch import patched
from tenantry.domain.errors import AgentNotPublished, InvalidInput
from tenantry.domain.tools import ToolSpec
from tenantry.engine.prompt import stable_prompt
from tenantry.storage.repositories import agent_versions
from tenantry.storage.repositories.agent_versions import Serving
from tenantry.storage.tenancy import TenantTx
from tenantry.tools.registry import tool_specs

log = structlog.get_logger()

_MOST = 500
_SECONDS = 60.0

# Whose definition it is: the tenant, the agent, its version, and the contact with the moment since when their own
# instance is as it is, which no later one has; revisions begin anew with an instance that was deleted and made again.
_Key = tuple[UUID, UUID, int | None, tuple[UUID, datetime] | None]


@dataclass(frozen=True, slots=True)
class Compiled:
    """The part of the prompt that stays the same from turn to turn, and the tools."""

    prompt: str
    tools: tuple[ToolSpec, ...]


class Definitions:
    """The definitions that a process used in the last minute, 500 at most. A version never changes, and which one
    answers is read with each turn: nothing kept here is out of date, and the next message sees a publication on every
    node."""

    def __init__(self) -> None:
        self._definitions: TTLCache[_Key, AgentDefinition, float] = TTLCache(_MOST, _SECONDS, time.monotonic)
        self._compiled: TTLCache[tuple[_Key, UUID | None], Compiled, float] = TTLCache(_MOST, _SECONDS, time.monotonic)

    async def agent(self, tx: TenantTx, serving: Serving) -> Agent:
        """The agent that answers. Raises AgentNotPublished when no version of it was published."""
        if serving.version is None:
            raise AgentNotPublished
        own = None
        if serving.changes and serving.contact_id and serving.own_since:
            own = (serving.contact_id, serving.own_since)
        key = (serving.tenant_id, serving.agent_id, serving.version, own)
        definition = self._definitions.get(key)
        if definition is None:
            definition = await agent_versions.definition(tx, serving.agent_id, serving.version)
            if serving.changes:
                definition = _own(definition, serving)
            self._definitions[key] = definition
        return Agent(serving.tenant_id, serving.agent_id, serving.owner_member_id, serving.version, definition, own)

    def compiled(self, agent: Agent) -> Compiled:
        """What follows from the definition, for the agent's owner; of a draft it is made anew."""
        key = ((agent.tenant_id, agent.id, agent.version, agent.own), agent.owner_member_id)
        found = self._compiled.get(key) if agent.version is not None else None
        if found is None:
            found = Compiled(stable_prompt(agent), tool_specs(agent))
            if agent.version is not None:
                self._compiled[key] = found
        return found

    def forget_contact(self, tenant_id: UUID, contact_id: UUID) -> None:
        """Let go of the contact's own instances."""
        for key in [key for key in self._definitions if _is_of(key, tenant_id, contact_id)]:
            self._definitions.pop(key, None)
        for compiled in [compiled for compiled in self._compiled if _is_of(compiled[0], tenant_id, contact_id)]:
            self._compiled.pop(compiled, None)


def _is_of(key: _Key, tenant_id: UUID, contact_id: UUID) -> bool:
    return key[0] == tenant_id and key[3] is not None and key[3][0] == contact_id


def _own(definition: AgentDefinition, serving: Serving) -> AgentDefinition:
    try:
        return patched(definition, serving.changes or {})
    except InvalidInput as error:
        # The agent has changed so that the instance's own changes no longer fit; its contact is answered all the same.
        faults = [fault.field for fault in error.errors]
        log.warning(
            "personal changes do not fit", agent_id=str(serving.agent_id), version=serving.version, fields=faults
        )
        return definition
