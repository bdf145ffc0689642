"""Tickets of calls: what a dispatched job carries. A ticket names a call to this installation and nothing to anybody
else, and whoever presents it has to be a worker besides.

A ticket is base64url of 12 bytes of nonce and the encrypted tenant id (16 bytes), call id (16) and number of the
dispatch (4) with the 16-byte tag of AES-256-GCM (NIST SP 800-38D)."""

import base64
import binascii
import hmac
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tenantry.credentials.master_key import MasterKey
from tenantry.domain.errors import TicketInvalid, Unauthenticated

SOCKET_TOKEN_LIVES_S = 120
_NONCE = 12


@dataclass(frozen=True, slots=True)
class Ticket:
    """One dispatch of a call, the first is 1."""

    tenant_id: UUID
    call_id: UUID
    dispatch: int


class _Sealing:
    """Seals bytes for one purpose. What was sealed for another, or altered, cannot be opened."""

    def __init__(self, master: MasterKey, purpose: str) -> None:
        self._cipher = AESGCM(master.derive(purpose))
        self._purpose = purpose.encode()

    def seal(self, plain: bytes) -> str:
        nonce = os.urandom(_NONCE)
        # Without padding: a WebSocket's subprotocol, in which tokens are sent, has no "=".
        return base64.urlsafe_b64encode(nonce + self._cipher.encrypt(nonce, plain, self._purpose)).decode().rstrip("=")

    def open(self, sealed: str) -> bytes | None:
        try:
            raw = base64.urlsafe_b64decode(sealed.encode("ascii") + b"==")
            # The last character has bits that mean nothing; only one spelling is right.
            if base64.urlsafe_b64encode(raw).decode().rstrip("=") != sealed:
                return None
            return self._cipher.decrypt(raw[:_NONCE], raw[_NONCE:], self._purpose)
        except (binascii.Error, UnicodeEncodeError, ValueError, InvalidTag):
            return None


class CallTickets:
    """Seals and opens tickets, and knows the workers' key."""

    def __init__(self, master: MasterKey, worker_key: str | None = None) -> None:
        """`worker_key` is that of the settings; without one it follows from the master key."""
        self._sealing = _Sealing(master, "call-ticket")
        self._worker_key = worker_key or worker_key_of(master)

    def seal(self, ticket: Ticket) -> str:
        """The ticket as a job carries it."""
        return self._sealing.seal(ticket.tenant_id.bytes + ticket.call_id.bytes + ticket.dispatch.to_bytes(4))

    def open(self, sealed: str) -> Ticket:
        """What a ticket says. Raises TicketInvalid."""
        plain = self._sealing.open(sealed)
        if plain is None:
            raise TicketInvalid
        return Ticket(UUID(bytes=plain[:16]), UUID(bytes=plain[16:32]), int.from_bytes(plain[32:]))

    def is_worker(self, key: str) -> bool:
        """Whether this is the workers' key."""
        return hmac.compare_digest(key.encode(), self._worker_key.encode())


class SocketTokens:
    """What callers open the WebSocket of their call with: sealed as tickets are, with the tenant id, the call id and
    when it expires (8 bytes, seconds since 1970)."""

    def __init__(self, master: MasterKey, clock: Callable[[], float] = time.time) -> None:
        self._sealing = _Sealing(master, "call-socket")
        self._clock = clock

    def seal(self, tenant_id: UUID, call_id: UUID) -> str:
        """A token for one call that can be used for two minutes."""
        expires = int(self._clock()) + SOCKET_TOKEN_LIVES_S
        return self._sealing.seal(tenant_id.bytes + call_id.bytes + expires.to_bytes(8))

    def open(self, token: str) -> tuple[UUID, UUID]:
        """The tenant and the call of the token. Raises Unauthenticated when it is none, or has expired."""
        plain = self._sealing.open(token)
        if plain is None or int.from_bytes(plain[32:]) < self._clock():
            raise Unauthenticated("This token of a call is not valid any more; POST /api/livekit/token gives another.")
        return UUID(bytes=plain[:16]), UUID(bytes=plain[16:32])


def worker_key_of(master: MasterKey) -> str:
    """The key that workers show where the settings name none."""
    return f"tnw_{base64.urlsafe_b64encode(master.derive('worker-key')).decode().rstrip('=')}"
