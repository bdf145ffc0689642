"""A conversation goes over from one agent to another when the turn is stored that says so."""

from dataclasses import replace

from tenantry.domain.agent import AgentDefinition
from tenantry.domain.values import Known, VariableValue
from tenantry.engine.accept import Work
from tenantry.engine.answering import own_instance
from tenantry.engine.definitions import Definitions
from tenantry.llm.typed_values import WrongValue, variable_value
from tenantry.storage.repositories import agent_versions, audit, conversations
from tenantry.storage.repositories.conversations import Successor
from tenantry.storage.tenancy import TenantTx
from tenantry.tools.hand_off.tool import HandedOver


async def hand_over(tx: TenantTx, work: Work, to: HandedOver, known: Known, definitions: Definitions) -> None:
    """Let the other agent answer from the next turn on. What is known goes with the conversation; what a model keeps
    for itself does not, as the other agent asks for other things. An agent that was taken out of use since is left
    alone."""
    serving = await agent_versions.serving(tx, to.agent_id, sees_only=None)
    if serving is None:
        return
    serving = replace(serving, version=to.version or serving.version)
    agent = await definitions.agent(tx, serving)
    agent = await own_instance(tx, agent, serving, work.conversation.contact_id, definitions)
    stays = to.version is not None or agent.definition.follow == "pinned"
    successor = Successor(agent.id, agent.owner_member_id, agent.version if stays else None)
    kept = _kept(known, agent.definition)
    await conversations.hand_over(tx, work.conversation.id, successor, kept)
    details = {"from": str(work.agent.id), "to": str(agent.id), "purpose": to.purpose}
    await audit.record(
        tx,
        actor=work.actor,
        action="conversation.handed_over",
        target=f"conversation:{work.conversation.id}",
        details=details,
    )


def _kept(known: Known, to: AgentDefinition) -> Known:
    """Everything but what the other agent has under the same name as something else."""
    return {name: noted for name, noted in known.items() if _fits(name, noted, to)}


def _fits(name: str, noted: VariableValue, to: AgentDefinition) -> bool:
    variable = to.variable(name)
    if variable is None:
        return True
    try:
        return variable_value(variable, noted.value, to) == noted.value
    except WrongValue:
        return False
