"""Tickets of calls: what a dispatched job carries. A ticket names a call to this installation and nothing to anybody
else, and whoever presents it has to be a worker besides.

A ticket is base64url of 12 bytes of nonce and the encrypted tenant id (16 bytes), call id (16) and number of the
dispatch (4) with the 16-byte tag of AES-256-GCM (NIST SP 800-38D)."""

import base64
import binascii
import hmac
import os
from dataclasses import dataclass
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tenantry.credentials.master_key import MasterKey
from tenantry.domain.errors import TicketInvalid

_NONCE = 12
_PURPOSE = b"call-ticket"


@dataclass(frozen=True, slots=True)
class Ticket:
    """One dispatch of a call, the first is 1."""

    tenant_id: UUID
    call_id: UUID
    dispatch: int


class CallTickets:
    """Seals and opens tickets, and knows the workers' key."""

    def __init__(self, master: MasterKey, worker_key: str | None = None) -> None:
        """`worker_key` is that of the settings; without one it follows from the master key."""
        self._cipher = AESGCM(master.derive("call-ticket"))
        self._worker_key = worker_key or worker_key_of(master)

    def seal(self, ticket: Ticket) -> str:
        """The ticket as a job carries it."""
        nonce = os.urandom(_NONCE)
        plain = ticket.tenant_id.bytes + ticket.call_id.bytes + ticket.dispatch.to_bytes(4)
        return base64.urlsafe_b64encode(nonce + self._cipher.encrypt(nonce, plain, _PURPOSE)).decode()

    def open(self, sealed: str) -> Ticket:
        """What a ticket says. Raises TicketInvalid."""
        try:
            raw = base64.urlsafe_b64decode(sealed.encode("ascii"))
            plain = self._cipher.decrypt(raw[:_NONCE], raw[_NONCE:], _PURPOSE)
        except (binascii.Error, UnicodeEncodeError, ValueError, InvalidTag):
            raise TicketInvalid from None
        return Ticket(UUID(bytes=plain[:16]), UUID(bytes=plain[16:32]), int.from_bytes(plain[32:]))

    def is_worker(self, key: str) -> bool:
        """Whether this is the workers' key."""
        return hmac.compare_digest(key.encode(), self._worker_key.encode())


def worker_key_of(master: MasterKey) -> str:
    """The key that workers show where the settings name none."""
    return f"tnw_{base64.urlsafe_b64encode(master.derive('worker-key')).decode().rstrip('=')}"
