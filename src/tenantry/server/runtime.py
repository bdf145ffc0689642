"""All that one process needs to answer, opened and closed in order."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tenantry.credentials.master_key import ContactHasher, MasterKey, load_master_key
from tenantry.domain.errors import HomeInUse
from tenantry.engine.turn import Engine
from tenantry.settings import Settings
from tenantry.storage.embedded import EmbeddedServer, running_address
from tenantry.storage.tenancy import Database


@dataclass(frozen=True, slots=True)
class Runtime:
    """An open installation. `sole` says that no other process can be working on its database."""

    settings: Settings
    db: Database
    engine: Engine
    sole: bool
