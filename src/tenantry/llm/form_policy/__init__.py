"""The form policy: a model provider that needs no model."""
