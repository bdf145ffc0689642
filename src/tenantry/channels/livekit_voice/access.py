"""Who may use the routes of workers and of call processes, and nothing else: the holders of the two keys."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from tenantry.auth.call_tokens import call_tenant_of
from tenantry.auth.principals import bearer_key
from tenantry.auth.tenant_secrets import hash_secret
from tenantry.channels.livekit_voice.channel import VoiceChannel
from tenantry.domain.call import Call
from tenantry.domain.errors import CallEnded, Unauthenticated
from tenantry.storage.repositories import calls
from tenantry.storage.tenancy import TenantTx


class _WorkerKey(HTTPBearer):
    def __init__(self) -> None:
        super().__init__(scheme_name="Worker", description="The workers' key: `TENANTRY_WORKER_KEY`.", auto_error=False)

    async def __call__(self, request: Request) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Raises Unauthenticated."""
        voice: VoiceChannel = request.app.state.runtime.voice
        if not voice.tickets.is_worker(bearer_key(request)):
            raise Unauthenticated("Send `Authorization: Bearer …` with the workers' TENANTRY_WORKER_KEY.")


by_worker = Depends(_WorkerKey())


@dataclass(frozen=True, slots=True)
class CallHolder:
    """Who says that they speak for a call of the tenant; whether they do is looked up with the call."""

    tenant_id: UUID
    token_hash: bytes

    async def call(self, tx: TenantTx) -> Call:
        """The call that they speak for. Raises CallEnded."""
        call = await calls.by_token(tx, self.token_hash)
        if call is None:
            raise CallEnded
        return call


class _CallToken(HTTPBearer):
    def __init__(self) -> None:
        super().__init__(
            scheme_name="Call", description="The token of one call, `tnc_…`, that claiming it gave.", auto_error=False
        )

    async def __call__(self, request: Request) -> CallHolder:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Raises Unauthenticated for what is no call's token at all."""
        token = bearer_key(request)
        tenant_id = call_tenant_of(token)
        if tenant_id is None:
            raise Unauthenticated("Send `Authorization: Bearer tnc_…` with the token of the call.")
        return CallHolder(tenant_id, hash_secret(token))


OfCall = Annotated[CallHolder, Depends(_CallToken())]
