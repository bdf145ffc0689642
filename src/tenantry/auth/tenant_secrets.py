"""Secrets that say whose they are: a tenant's id and random bytes. The id only says under whose row-level security the
hash is looked up; the random bytes are what is checked."""

import base64
import binascii
import hashlib
import secrets
from uuid import UUID

_RANDOM_BYTES = 26


def make_secret(tenant_id: UUID) -> str:
    """A fresh secret of the tenant with 208 random bits: 56 letters, digits, dashes and underscores."""
    return base64.urlsafe_b64encode(tenant_id.bytes + secrets.token_bytes(_RANDOM_BYTES)).decode()


def claimed_tenant(secret: str) -> UUID | None:
    """The tenant that the secret claims to be of, or None when it has not the form of one."""
    try:
        raw = base64.urlsafe_b64decode(secret.encode("ascii"))
    except (binascii.Error, UnicodeEncodeError):
        return None
    return UUID(bytes=raw[:16]) if len(raw) == 16 + _RANDOM_BYTES else None


def hash_secret(secret: str) -> bytes:
    """What is stored of a secret. A plain SHA-256 is enough for one that nobody chose."""
    return hashlib.sha256(secret.encode()).digest()
