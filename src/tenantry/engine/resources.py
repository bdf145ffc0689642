"""What the engine works with, made once for a process."""

from dataclasses import dataclass, field

from tenantry.credentials.master_key import ContactHasher
from tenantry.engine.compiled import CompiledAgents
from tenantry.llm.registry import Models
from tenantry.storage.tenancy import Database
from tenantry.tools.outbound.client import OutboundHttp


@dataclass(frozen=True, slots=True)
class Resources:
    """The database, the hasher that finds contacts, the models, the way to tenants' own services, and what is kept of
    agents."""

    db: Database
    hasher: ContactHasher
    models: Models
    outbound: OutboundHttp
    compiled: CompiledAgents = field(default_factory=CompiledAgents)
