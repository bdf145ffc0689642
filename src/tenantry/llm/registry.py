"""All model providers, by the name that settings and requests use."""

from collections.abc import Collection, Iterator

from tenantry.llm.base import Model
from tenantry.llm.chat_completions.client import ChatCompletions
from tenantry.llm.chat_completions.endpoint import Endpoint
from tenantry.llm.form_policy.policy import FormPolicy
from tenantry.settings import ModelSettings

FORM_POLICY = "form-policy"


class Models:
    """The models of one installation: the one of its settings, and always the form policy, which needs no key and no
    network."""

    def __init__(self, settings: ModelSettings | None = None) -> None:
        self._form_policy = FormPolicy()
        self._remote: ChatCompletions | None = None
        if settings is not None:
            endpoint = Endpoint(settings.base_url, settings.api_key or "", settings.name)
            self._remote = ChatCompletions(settings.name, endpoint)
        self.default_name = settings.name if settings else FORM_POLICY

    def find(self, name: str) -> Model | None:
        """The model of that name, or None when it is not to be had here."""
        if name == FORM_POLICY:
            return self._form_policy
        return self._remote if self._remote is not None and self._remote.name == name else None

    def chain(self, name: str) -> Iterator[Model]:
        """The models to try for one that was asked for by name, in order; the form policy is always the last."""
        for candidate in dict.fromkeys((name, self.default_name, FORM_POLICY)):
            # The form policy was asked for by its name: what another model says instead would be no fallback.
            if name == FORM_POLICY and candidate != FORM_POLICY:
                continue
            model = self.find(candidate)
            if model is not None:
                yield model

    def allowed(self, names: Collection[str]) -> tuple[str, ...]:
        """The models that a tenant may use: those of these names, and the installation's own default."""
        return tuple(dict.fromkeys((*names, self.default_name)))

    async def close(self) -> None:
        """Close the connections to providers."""
        if self._remote is not None:
            await self._remote.close()
