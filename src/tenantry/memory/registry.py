"""All memories, and the one that is used where none is chosen."""

from tenantry.memory.base import Memory
from tenantry.memory.postgres import PostgresMemory

MEMORIES: dict[str, Memory] = {"postgres": PostgresMemory()}
DEFAULT = MEMORIES["postgres"]
