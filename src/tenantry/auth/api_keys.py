"""The form of API keys: `tnt_`, then the tenant's id and a secret. The id only says under whose row-level security the
hash is looked up; the secret is what is checked."""

import base64
import binascii
import hashlib
import secrets
from uuid import UUID

_PREFIX = "tnt_"
_SECRET_BYTES = 26


def make_key(tenant_id: UUID) -> str:
    """A fresh key of the tenant, with 208 random bits."""
    return _PREFIX + base64.urlsafe_b64encode(tenant_id.bytes + secrets.token_bytes(_SECRET_BYTES)).decode()


def tenant_of(key: str) -> UUID | None:
    """The tenant that the key claims to be of, or None when it has not the form of a key."""
    try:
        raw = base64.urlsafe_b64decode(key.removeprefix(_PREFIX).encode("ascii"))
    except (binascii.Error, UnicodeEncodeError):
        return None
    if not key.startswith(_PREFIX) or len(raw) != 16 + _SECRET_BYTES:
        return None
    return UUID(bytes=raw[:16])


def hash_key(key: str) -> bytes:
    """What is stored of a key. A plain SHA-256 is enough for a secret that nobody chose."""
    return hashlib.sha256(key.encode()).digest()
