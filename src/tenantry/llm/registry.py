"""All model providers, by the name that settings and requests use."""

from functools import cache

from tenantry.llm.base import Model
from tenantry.llm.form_policy.policy import FormPolicy

DEFAULT = "form-policy"


@cache
def default() -> Model:
    """The model that is always there: it needs no key and no network. Making it takes a quarter of a second, once."""
    return FormPolicy()


def find(name: str) -> Model | None:
    """The model of that name, or None when it is not to be had here."""
    return default() if name == DEFAULT else None
