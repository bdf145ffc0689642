"""The async client of our own API."""

from tenantry.client.api import ApiError, TenantryClient

__all__ = ["ApiError", "TenantryClient"]
