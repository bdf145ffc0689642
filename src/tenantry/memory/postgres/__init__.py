"""Memory in the installation's own database."""

from tenantry.memory.postgres.memory import PostgresMemory

__all__ = ["PostgresMemory"]
