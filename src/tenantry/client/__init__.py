"""The typed async client of our own API."""

from tenantry.client.api import TenantryClient
from tenantry.client.errors import ApiError, ServerUnreachable

__all__ = ["ApiError", "ServerUnreachable", "TenantryClient"]
