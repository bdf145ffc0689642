"""What the providers' routes take and give."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from tenantry.api.common import with_examples
from tenantry.domain.provider import AnswerMode, Provider, ProviderModel, ProviderSettings, Timeouts

ApiKey = Annotated[
    SecretStr | None,
    Field(
        description="Sealed, and never shown again. When replacing: left out it stays as it is, empty it is removed."
    ),
]


_EXAMPLE = {
    "name": "own-models",
    "base_url": "https://models.example/v1",
    "models": [{"name": "own/large", "model": "large-2", "input_price": 500_000, "output_price": 1_500_000}],
}


class ProviderIn(BaseModel):
    """A provider as the tenant describes it. Prices are in millionths of a US dollar for a million tokens."""

    model_config = with_examples(_EXAMPLE) | ConfigDict(hide_input_in_errors=True)
    name: str = Field(min_length=1, max_length=100)
    base_url: str = Field(min_length=1, max_length=1000)
    answer_mode: AnswerMode = "json_schema"
    models: tuple[ProviderModel, ...] = Field(default=(), max_length=200)
    timeouts: Timeouts = Field(default_factory=Timeouts)
    api_key: ApiKey = None

    def settings(self) -> ProviderSettings:
        """All but the key."""
        return ProviderSettings(self.name, self.base_url, self.answer_mode, self.models, self.timeouts)

    def key(self) -> str | None:
        """The key, when one was sent."""
        return None if self.api_key is None else self.api_key.get_secret_value()


class ProviderOut(BaseModel):
    """A provider. Only who may act for the whole tenant is shown where it is and the end of its key."""

    id: UUID
    name: str
    models: Sequence[ProviderModel]
    base_url: str | None
    answer_mode: AnswerMode
    timeouts: Timeouts
    key_set: bool
    key_hint: str | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, provider: Provider, *, whole: bool) -> "ProviderOut":
        """The provider as it is shown; `whole` to who may act for the whole tenant."""
        settings = provider.settings
        return cls(
            id=provider.id,
            name=settings.name,
            models=settings.models,
            base_url=settings.base_url if whole else None,
            answer_mode=settings.answer_mode,
            timeouts=settings.timeouts,
            key_set=provider.key_set,
            key_hint=provider.key_hint if whole else None,
            created_at=provider.created_at,
            updated_at=provider.updated_at,
        )


class ProviderList(BaseModel):
    """All of the tenant's providers, the oldest first."""

    items: list[ProviderOut]
