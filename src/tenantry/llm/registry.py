"""All model providers, by the name that settings and requests use."""

from tenantry.llm.base import Model
from tenantry.llm.form_policy.policy import FormPolicy

DEFAULT = "form-policy"
_MODELS: dict[str, Model] = {DEFAULT: FormPolicy()}


def find(name: str) -> Model | None:
    """The model of that name, or None when it is not to be had here."""
    return _MODELS.get(name)


def default() -> Model:
    """The model that is always there: it needs no key and no network."""
    return _MODELS[DEFAULT]
