"""What the engine works with, made once for a process."""

from dataclasses import dataclass

from tenantry.credentials.master_key import ContactHasher
from tenantry.llm.registry import Models
from tenantry.storage.tenancy import Database
from tenantry.outbound.client import OutboundHttp


@dataclass(frozen=True, slots=True)
class Resources:
    """The database, the hasher that finds contacts, the models, and the way to tenants' own services."""

    db: Database
    hasher: ContactHasher
    models: Models
    outbound: OutboundHttp
