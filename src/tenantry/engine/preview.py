"""What a model would be given for an agent, without asking it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from tenantry.domain.agent import Agent
from tenantry.domain.memory import Block
from tenantry.domain.tenant import Tenant
from tenantry.domain.tools import ToolSpec
from tenantry.engine.prompt import Moment, system_prompt
from tenantry.engine.resources import Resources
from tenantry.llm.base import ModelRequest


@dataclass(frozen=True, slots=True)
class Preview:
    """The model that would be asked first, the exact system prompt it would be sent, and the tools."""

    model: str
    system_prompt: str
    tools: tuple[ToolSpec, ...]


async def preview(resources: Resources, tenant: Tenant, agent: Agent, memory: tuple[Block, ...]) -> Preview:
    """For a conversation with a new contact that begins now. The form policy reads no prompt: for it, the one that a
    language model would get. Raises DatabaseUnavailable."""
    models = await resources.models.of(resources.db, tenant)
    definition = agent.definition
    model = models.chain(definition.model or models.default_name, definition.fallback_models)[0]
    compiled = resources.definitions.compiled(agent)
    now = datetime.now(UTC).astimezone(ZoneInfo(definition.time_zone))
    request = ModelRequest(
        agent=definition,
        system_prompt=system_prompt(compiled.prompt, definition, Moment(now, {}, "http", memory=memory)),
        messages=(),
        tools=compiled.tools,
        known={},
        now=now,
        user_id=agent.user_id,
    )
    return Preview(model.name, model.prompt(request) or request.system_prompt, compiled.tools)
