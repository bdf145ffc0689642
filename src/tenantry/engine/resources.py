"""What the engine works with, made once for a process."""

from dataclasses import dataclass, field

from tenantry.auth.budgets import BudgetLedger
from tenantry.auth.rate_limits import RateLimiter
from tenantry.calendars.choosing import Choosing
from tenantry.calendars.remote import RemoteSides
from tenantry.calendars.watching import Watching
from tenantry.credentials.connection_store import ConnectionStore
from tenantry.credentials.consents import Connecting
from tenantry.credentials.master_key import ContactHasher
from tenantry.credentials.secret_store import SecretStore
from tenantry.credentials.vault import Vault
from tenantry.engine.definitions import Definitions
from tenantry.engine.rule_sets import RuleSets
from tenantry.llm.registry import Models
from tenantry.outbound.client import OutboundHttp
from tenantry.storage.tenancy import Database


@dataclass(frozen=True, slots=True)
class Resources:
    """The database, the hasher that finds contacts, the models, the way to tenants' own services and to owners'
    calendars, what opens sealed values, the secrets of owners, what they signed in to and what signs them in, rate
    limits, budgets, what is kept of agents and of tenants' routing, and what has providers tell of changes, where they
    can call this installation."""

    db: Database
    hasher: ContactHasher
    models: Models
    outbound: OutboundHttp
    calendars: RemoteSides
    vault: Vault
    secrets: SecretStore
    connections: ConnectionStore
    connecting: Connecting
    choosing: Choosing
    limiter: RateLimiter
    budgets: BudgetLedger
    definitions: Definitions = field(default_factory=Definitions)
    rule_sets: RuleSets = field(default_factory=RuleSets)
    watching: Watching | None = None
