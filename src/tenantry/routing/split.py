"""Which side of an A/B test a contact is on: a stable hash, and weights as ranges of it."""

from hashlib import blake2b
from uuid import UUID

from tenantry.domain.routing import Part, Split

BUCKETS = 10_000
_BUCKETS_PER_PERCENT = BUCKETS // 100


def bucket(tenant_id: UUID, salt: str, split_key: bytes) -> int:
    """The contact's place from 0 to 9,999 in the tests of this salt: BLAKE2b (RFC 7693) keyed by the tenant, so that
    tests of two tenants or of two salts are independent. Contacts keep their sides only as long as this stays as it
    is."""
    salted = salt.encode()
    message = len(salted).to_bytes(2, "big") + salted + split_key
    digest = blake2b(message, digest_size=8, key=tenant_id.bytes, person=b"tenantry split").digest()
    return int.from_bytes(digest, "big") % BUCKETS


def part_of(split: Split, place: int) -> Part:
    """The part whose range holds this bucket; the parts' ranges follow one another in their order."""
    end = 0
    for part in split.parts:
        end += part.weight * _BUCKETS_PER_PERCENT
        if place < end:
            return part
    return split.parts[-1]
