"""What the templates' routes take and give."""

from pydantic import BaseModel, ConfigDict

from tenantry.agent_files.agent_file import AgentFile
from tenantry.api.agents.schemas import AgentOut
from tenantry.api.common import Page
from tenantry.domain.agent import AgentDefinition


class BuiltInOut(BaseModel):
    """A template that comes with the product: the name of its type, and what its agents are called, collect, say about
    every turn and may do."""

    type: str
    name: str
    tags: list[str]
    variables: list[str]
    turn_fields: list[str]
    functions: list[str]

    @classmethod
    def of(cls, type_name: str, file: AgentFile) -> "BuiltInOut":
        """The type as it is shown."""
        definition = file.definition
        return cls(
            type=type_name,
            name=definition.name,
            tags=list(file.head.tags),
            variables=[variable.name for variable in definition.variables],
            turn_fields=[field.name for field in definition.turn_fields],
            functions=[function.name for function in definition.functions],
        )


class BuiltInDefinitionOut(BaseModel):
    """A built-in template as a whole."""

    type: str
    tags: list[str]
    definition: AgentDefinition


class TemplatePage(Page):
    """The built-in templates, and the tenant's own, newest first."""

    built_in: list[BuiltInOut]
    items: list[AgentOut]


class TemplateMark(BaseModel):
    """Whether an agent of the tenant is a template for others."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"is_template": True}]})
    is_template: bool
