"""Client businesses and the people who belong to them."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from tenantry.domain.limits import TenantLimits


@dataclass(frozen=True, slots=True)
class Tenant:
    """One client business. `slug` is its name in URLs and settings; `allowed_models` are those a caller may name.
    `settings_stamp` changes with everything that processes keep of the tenant's settings: its providers, budgets and
    limits."""

    id: UUID
    slug: str
    name: str
    time_zone: str
    allowed_models: tuple[str, ...]
    active_agent_id: UUID | None
    settings_stamp: int = 0
    limits: TenantLimits = field(default_factory=TenantLimits)


class Role(StrEnum):
    """What a member may do: owners and admins act for the whole tenant, editors on what is theirs, viewers look."""

    OWNER = "owner"
    ADMIN = "admin"
    EDITOR = "editor"
    VIEWER = "viewer"


@dataclass(frozen=True, slots=True)
class Member:
    """A person in a tenant."""

    tenant_id: UUID
    id: UUID
    user_id: UUID
    email: str
    role: Role
    display_name: str
    created_at: datetime
