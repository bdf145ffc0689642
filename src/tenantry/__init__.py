"""Tenantry: the runtime for multi-tenant AI agents."""
