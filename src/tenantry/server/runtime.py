"""All that one process needs to answer, opened and closed in order."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tenantry.credentials.master_key import ContactHasher, load_master_key
from tenantry.engine.resources import Resources
from tenantry.engine.turn import Engine
from tenantry.llm.registry import Models
from tenantry.settings import Settings
from tenantry.storage.opening import open_database
from tenantry.storage.tenancy import Database
from tenantry.telemetry.telemetry import Telemetry
from tenantry.tools.outbound.addresses import NetworkPolicy
from tenantry.tools.outbound.client import OutboundHttp


@dataclass(frozen=True, slots=True)
class Runtime:
    """An open installation. `sole` says that no other process can be working on its database."""

    settings: Settings
    db: Database
    resources: Resources
    engine: Engine
    telemetry: Telemetry
    sole: bool


@asynccontextmanager
async def open_runtime(settings: Settings) -> AsyncGenerator[Runtime]:
    """Open the installation while inside. Raises ConfigurationError and DatabaseUnavailable."""
    master = load_master_key(settings.home, settings.master_key)
    async with open_database(settings.home, settings.database, master.password) as opened:
        models, outbound = Models(settings.model), OutboundHttp(NetworkPolicy(settings.network.allowed))
        try:
            resources = Resources(opened.db, ContactHasher(master), models, outbound)
            engine, telemetry = Engine(resources), Telemetry(settings.telemetry)
            _measure(telemetry, opened.db, engine)
            yield Runtime(settings, opened.db, resources, engine, telemetry, opened.sole)
        finally:
            await asyncio.gather(models.close(), outbound.close())


def _measure(telemetry: Telemetry, db: Database, engine: Engine) -> None:
    telemetry.gauge("tenantry_running_turns", "Turns in hand, running or waiting for their turn.", engine.leases.count)
    telemetry.gauge("tenantry_pool_connections_in_use", "Database connections in use.", db.connections_in_use)
