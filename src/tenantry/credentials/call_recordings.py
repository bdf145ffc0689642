"""Recordings of calls, which nobody reads in the database: every piece is sealed by the vault."""

import asyncio
from uuid import UUID

from tenantry.credentials.vault import Binding, Vault
from tenantry.domain.call import Call
from tenantry.domain.errors import PayloadTooLarge
from tenantry.domain.ids import new_id
from tenantry.storage.repositories import recordings
from tenantry.storage.repositories.recordings import Piece
from tenantry.storage.tenancy import TenantTx

MEDIA_TYPE = "audio/ogg"
PIECE_BYTES = 262_144
CALL_BYTES = 67_108_864


class CallRecordings:
    """Seals what is recorded, and opens it again."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def add(self, tx: TenantTx, call: Call, part: int, audio: bytes) -> None:
        """Keep a part of what the call's process recorded; the same part for the second time is nothing new. Raises
        PayloadTooLarge for a piece of more than `PIECE_BYTES`, and when the call has `CALL_BYTES` already."""
        if len(audio) > PIECE_BYTES:
            raise PayloadTooLarge(f"Send at most {PIECE_BYTES:,} bytes of a recording at once.")
        if await recordings.size_of(tx, call.id) + len(audio) > CALL_BYTES:
            raise PayloadTooLarge(f"No more than {CALL_BYTES:,} bytes of a call are kept; stop recording it.")
        piece = Piece(new_id(), call.id, call.claims, part, len(audio))
        # Encrypting takes long enough for others to wait.
        await recordings.add(tx, piece, await asyncio.to_thread(self._vault.seal, _binding(tx.tenant_id, piece), audio))

    async def audio(self, tx: TenantTx, piece: Piece) -> bytes:
        """What was recorded; empty when it was deleted meanwhile. Raises SealedValueUnreadable."""
        sealed = await recordings.sealed(tx, piece.id)
        if sealed is None:
            return b""
        return await asyncio.to_thread(self._vault.open, _binding(tx.tenant_id, piece), sealed)


def _binding(tenant_id: UUID, piece: Piece) -> Binding:
    return Binding(tenant_id, None, "recording", piece.id)
