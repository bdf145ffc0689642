"""Secrets at rest, by envelope encryption: each has a data key of its own, which a key of the installation wraps.

A sealed value is, in this order: 1 byte of version, 8 bytes that name the wrapping key, 12 bytes of nonce and 48 of the
wrapped data key, 12 bytes of nonce and the encrypted secret with its 16-byte tag. Both encryptions are AES-256-GCM
(NIST SP 800-38D).
"""

import os
from dataclasses import dataclass
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tenantry.credentials.key_ring import ID_LENGTH, KeyRing
from tenantry.domain.errors import SealedValueUnreadable

_VERSION = b"\x01"
_NONCE = 12
_TAG = 16
_DATA_KEY = 32
_HEADER = len(_VERSION) + ID_LENGTH
_WRAPPED = _HEADER + _NONCE + _DATA_KEY + _TAG


@dataclass(frozen=True, slots=True)
class Binding:
    """The one place where a sealed value can be opened: the row `row_id` of this `kind` ("provider", "secret", …) of
    the tenant, and of the member unless that is None."""

    tenant_id: UUID
    member_id: UUID | None
    kind: str
    row_id: UUID

    def associated(self) -> bytes:
        """The same bytes for the same place only: all parts but the last have a fixed length."""
        member = b"\x00" + bytes(16) if self.member_id is None else b"\x01" + self.member_id.bytes
        return self.tenant_id.bytes + member + self.row_id.bytes + self.kind.encode()


class Vault:
    """Seals and opens secrets with the installation's keys."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    def seal(self, binding: Binding, plain: bytes) -> bytes:
        """The secret as it is kept."""
        key, place = self._keys.current(), binding.associated()
        header = _VERSION + key.id
        data_key, wrap_nonce, nonce = AESGCM.generate_key(8 * _DATA_KEY), os.urandom(_NONCE), os.urandom(_NONCE)
        wrapped = key.cipher.encrypt(wrap_nonce, data_key, b"key" + header + place)
        return header + wrap_nonce + wrapped + nonce + AESGCM(data_key).encrypt(nonce, plain, b"value" + header + place)

    def open(self, binding: Binding, sealed: bytes) -> bytes:
        """The secret. Raises SealedValueUnreadable when it was altered, was sealed for another place, or under a key
        that is not there."""
        header, place = sealed[:_HEADER], binding.associated()
        if header[: len(_VERSION)] != _VERSION or len(sealed) < _WRAPPED + _NONCE + _TAG:
            raise SealedValueUnreadable
        wrapping = self._keys.find(header[len(_VERSION) :])
        if wrapping is None:
            raise SealedValueUnreadable
        try:
            data_key = wrapping.cipher.decrypt(
                sealed[_HEADER : _HEADER + _NONCE], sealed[_HEADER + _NONCE : _WRAPPED], b"key" + header + place
            )
            nonce, rest = sealed[_WRAPPED : _WRAPPED + _NONCE], sealed[_WRAPPED + _NONCE :]
            return AESGCM(data_key).decrypt(nonce, rest, b"value" + header + place)
        except InvalidTag:
            raise SealedValueUnreadable from None

    def header(self) -> bytes:
        """What values begin with that are sealed under the key that seals now; others are due to be sealed anew."""
        return _VERSION + self._keys.current().id
