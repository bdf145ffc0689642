"""Agents as files: YAML or JSON in and out, and the types that come with Tenantry."""
