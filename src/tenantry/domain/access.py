"""Who asks, and what they may reach."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from tenantry.domain.errors import Forbidden
from tenantry.domain.tenant import Role, Tenant


class Scope(StrEnum):
    """What an API key may be used for."""

    REPLY = "reply"
    AGENTS_READ = "agents:read"
    AGENTS_WRITE = "agents:write"
    CONVERSATIONS_READ = "conversations:read"
    CALENDAR_READ = "calendar:read"
    CALENDAR_WRITE = "calendar:write"
    PROVIDERS_READ = "providers:read"
    PROVIDERS_WRITE = "providers:write"
    SECRETS_READ = "secrets:read"
    SECRETS_WRITE = "secrets:write"
    CONNECTIONS_READ = "connections:read"
    CONNECTIONS_WRITE = "connections:write"
    USAGE_READ = "usage:read"
    LIMITS_WRITE = "limits:write"
    CONTACTS_READ = "contacts:read"
    CONTACTS_WRITE = "contacts:write"
    TENANT_EXPORT = "tenant:export"
    AUDIT_READ = "audit:read"
    SITES_READ = "sites:read"
    SITES_WRITE = "sites:write"


READING = frozenset(
    {
        Scope.AGENTS_READ,
        Scope.CONVERSATIONS_READ,
        Scope.CALENDAR_READ,
        Scope.PROVIDERS_READ,
        Scope.SECRETS_READ,
        Scope.CONNECTIONS_READ,
        Scope.USAGE_READ,
        Scope.CONTACTS_READ,
        Scope.AUDIT_READ,
        Scope.SITES_READ,
    }
)
ROLE_SCOPES: dict[Role, frozenset[Scope]] = {
    Role.OWNER: frozenset(Scope),
    Role.ADMIN: frozenset(Scope),
    Role.EDITOR: frozenset(Scope),
    Role.VIEWER: READING,
}


@dataclass(frozen=True, slots=True)
class Principal:
    """The holder of an API key: a member of a tenant or, with no `member_id`, the tenant itself. `scopes` are those of
    the key that the member's role allows. With `conversation_id` it is a caller, whose call is the `key_id`, and that
    conversation is all that they may speak in."""

    tenant: Tenant
    key_id: UUID
    member_id: UUID | None
    role: Role | None
    scopes: frozenset[Scope]
    conversation_id: UUID | None = None

    @classmethod
    def of_call(cls, tenant: Tenant, call_id: UUID, conversation_id: UUID) -> "Principal":
        """The caller of a call, who may speak in its conversation and nothing else."""
        return cls(tenant, call_id, None, None, frozenset({Scope.REPLY}), conversation_id)

    @property
    def tenant_id(self) -> UUID:
        """The tenant whose rows they may reach at all."""
        return self.tenant.id

    @property
    def actor(self) -> str:
        """How the audit log names the principal."""
        if self.conversation_id is not None:
            return f"call:{self.key_id}"
        return f"member:{self.member_id}" if self.member_id else f"key:{self.key_id}"

    @property
    def whole_tenant(self) -> bool:
        """Whether everything of the tenant is theirs to see and change: the tenant's own keys, owners and admins."""
        return self.member_id is None or self.role in (Role.OWNER, Role.ADMIN)

    @property
    def sees_only(self) -> UUID | None:
        """None for the whole tenant, else the member whose things, besides the tenant's own, are all they see."""
        return None if self.whole_tenant else self.member_id

    def may_see(self, owner_member_id: UUID | None) -> bool:
        """Whether a thing of this owner (None: the tenant's) may be seen."""
        return self.whole_tenant or owner_member_id is None or owner_member_id == self.member_id

    def may_change(self, owner_member_id: UUID | None) -> bool:
        """Whether a thing of this owner (None: the tenant's) may be changed."""
        return self.whole_tenant or (owner_member_id is not None and owner_member_id == self.member_id)

    def require(self, scope: Scope) -> None:
        """Raises Forbidden unless the key has the scope."""
        if scope not in self.scopes:
            raise Forbidden(f"This key lacks the scope `{scope}`; use one that has it.", extra={"scope": str(scope)})
