"""All that one process needs to answer, opened and closed in order."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tenantry.credentials.master_key import ContactHasher, load_master_key
from tenantry.engine.turn import Engine
from tenantry.llm.registry import Models
from tenantry.settings import Settings
from tenantry.storage.opening import open_database
from tenantry.storage.tenancy import Database


@dataclass(frozen=True, slots=True)
class Runtime:
    """An open installation. `sole` says that no other process can be working on its database."""

    settings: Settings
    db: Database
    models: Models
    engine: Engine
    sole: bool


@asynccontextmanager
async def open_runtime(settings: Settings) -> AsyncGenerator[Runtime]:
    """Open the installation while inside. Raises ConfigurationError and DatabaseUnavailable."""
    master = load_master_key(settings.home, settings.master_key)
    async with open_database(settings.home, settings.database, master.password) as opened:
        models = Models(settings.model)
        try:
            engine = Engine(opened.db, ContactHasher(master), models)
            yield Runtime(settings, opened.db, models, engine, opened.sole)
        finally:
            await models.close()
