"""What follows from an agent's definition alone, kept for as long as the agent is in use."""

from collections import OrderedDict
from dataclasses import dataclass
from uuid import UUID

from tenantry.domain.agent import Agent
from tenantry.domain.tools import ToolSpec
from tenantry.engine.prompt import stable_prompt
from tenantry.tools.registry import tool_specs

_MOST = 500


@dataclass(frozen=True, slots=True)
class Compiled:
    """The part of the prompt that stays the same from turn to turn, and the tools."""

    prompt: str
    tools: tuple[ToolSpec, ...]


class CompiledAgents:
    """The last 500 agents of a process by tenant, id and revision; a changed agent has another revision."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[UUID, UUID, int], Compiled] = OrderedDict()

    def of(self, agent: Agent) -> Compiled:
        """What follows from this revision of the agent."""
        key = (agent.tenant_id, agent.id, agent.revision)
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = Compiled(stable_prompt(agent), tool_specs(agent))
            if len(self._kept) > _MOST:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(key)
        return found
