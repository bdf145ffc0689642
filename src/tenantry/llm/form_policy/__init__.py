"""A model that needs no model: it fills the agent's form out of what the contact says, then calls the functions."""

from tenantry.llm.form_policy.greeting import greeting_of
from tenantry.llm.form_policy.policy import FormPolicy

__all__ = ["FormPolicy", "greeting_of"]
