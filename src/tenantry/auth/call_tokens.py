"""The form of the tokens that call processes speak by: `tnc_`, then a secret of the call's tenant."""

from uuid import UUID

from tenantry.auth.tenant_secrets import claimed_tenant, make_secret

_PREFIX = "tnc_"


def make_call_token(tenant_id: UUID) -> str:
    """A fresh token for one call of the tenant, with 208 random bits."""
    return _PREFIX + make_secret(tenant_id)


def call_tenant_of(token: str) -> UUID | None:
    """The tenant that the token claims to be of, or None when it has not the form of one."""
    return claimed_tenant(token.removeprefix(_PREFIX)) if token.startswith(_PREFIX) else None
