"""The form of sites' public keys: `tns_`, then a secret of the tenant, though everybody who sees the site has it."""

from uuid import UUID

from tenantry.auth.tenant_secrets import claimed_tenant, make_secret

_PREFIX = "tns_"


def make_site_key(tenant_id: UUID) -> str:
    """A fresh public key for a site of the tenant."""
    return _PREFIX + make_secret(tenant_id)


def tenant_of_site(public_key: str) -> UUID | None:
    """The tenant that the key claims to be of, or None when it has not the form of one."""
    return claimed_tenant(public_key.removeprefix(_PREFIX)) if public_key.startswith(_PREFIX) else None
