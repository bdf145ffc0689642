"""What an agent says before anything else."""

from tenantry.domain.agent import AgentDefinition
from tenantry.llm.form_policy.languages import load_language


def greeting_of(definition: AgentDefinition) -> str:
    """The agent's own greeting; where it has none, one that says whom the contact reached."""
    return definition.greeting.strip() or load_language(definition.language).phrases["greeting"][0].format(
        agent=definition.name
    )
