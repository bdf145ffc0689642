"""All that one process needs to answer, opened and closed in order."""

from dataclasses import dataclass

from tenantry.engine.turn import Engine
from tenantry.settings import Settings
from tenantry.storage.tenancy import Database


@dataclass(frozen=True, slots=True)
class Runtime:
    """An open installation. `sole` says that no other process can be working on its database."""

    settings: Settings
    db: Database
    engine: Engine
    sole: bool
