"""What a reply depends on, each part with its state."""

from collections.abc import Sequence

from tenantry.channels.http_reply.schemas import ComponentOut, HealthOut
from tenantry.domain.agent import AgentDefinition
from tenantry.domain.memory import Block
from tenantry.llm.registry import TenantModels


def health_of(
    client_id: str, active: AgentDefinition | None, blocks: Sequence[Block], models: TenantModels
) -> HealthOut:
    """Whether replies of the client's active agent, which has these blocks of its own, would be whole."""
    model = _model(active, models)
    kept = f"{len(blocks)} block{'' if len(blocks) == 1 else 's'}"
    return HealthOut(
        client_id=client_id,
        status="ok" if model.state == "ok" else "degraded",
        database=ComponentOut(state="ok", detail="PostgreSQL answers"),
        model=model,
        memory=ComponentOut(state="ok", detail=f"PostgreSQL keeps {kept} for every contact of the active agent"),
        calendar=ComponentOut(state="ok", detail="the built-in calendar answers"),
    )


def _model(active: AgentDefinition | None, models: TenantModels) -> ComponentOut:
    wanted = (active.model if active else None) or models.default_name
    if models.trusted(wanted):
        return ComponentOut(state="ok", detail=f"{wanted} answers")
    chain = models.chain(wanted, active.fallback_models if active else ())
    instead = next((model.name for model in chain if model.name != wanted and models.trusted(model.name)), None)
    why = "keeps failing and is left alone for a while" if models.find(wanted) else "is not to be had"
    return ComponentOut(state="degraded", detail=f"{wanted} {why}; {instead} answers instead")
