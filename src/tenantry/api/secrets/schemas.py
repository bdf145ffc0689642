"""What the secrets' routes take and give."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, SecretStr

from tenantry.api.common import Page, with_examples
from tenantry.domain.provider import SecretName


class SecretIn(BaseModel):
    """The value of a secret; it is never shown again."""

    model_config = with_examples({"value": "what the service asks for"}) | ConfigDict(hide_input_in_errors=True)
    value: SecretStr


class SecretOut(BaseModel):
    """A secret without its value; `owner_member_id` null means that it is the tenant's."""

    id: UUID
    name: str
    owner_member_id: UUID | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, secret: SecretName) -> "SecretOut":
        """The secret as it is shown."""
        return cls(
            id=secret.id,
            name=secret.name,
            owner_member_id=secret.owner_member_id,
            created_at=secret.created_at,
            updated_at=secret.updated_at,
        )


class SecretPage(Page):
    """Names of secrets, newest first."""

    items: list[SecretOut]
