"""`/calendar/webhooks`: where providers of calendars call when something was changed in one."""

import hmac
from collections.abc import Sequence
from typing import Annotated

import msgspec
from fastapi import APIRouter, Header, Query, Request, Response, status

from tenantry.api.common import Db, EngineResources
from tenantry.api.problems import problems
from tenantry.auth.tenant_secrets import claimed_tenant, hash_secret
from tenantry.domain.connection import ProviderName
from tenantry.domain.errors import DatabaseUnavailable, NotFound, RateLimited
from tenantry.engine.resources import Resources
from tenantry.storage.repositories import calendar_watches, remote_calendars
from tenantry.storage.repositories.calendar_watches import Hook
from tenantry.storage.tenancy import Database

router = APIRouter(prefix="/calendar/webhooks", tags=["calendar"])

_PROBLEMS = problems(NotFound, RateLimited, DatabaseUnavailable)

_EXAMPLE = {"value": [{"subscriptionId": "7f105c7d-2dc5", "changeType": "updated", "clientState": "Zk3…"}]}


class _Notification(msgspec.Struct, rename="camel"):
    client_state: str


class _Notifications(msgspec.Struct):
    value: list[_Notification]


@router.post(
    "/microsoft/{ticket}",
    status_code=status.HTTP_202_ACCEPTED,
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {}}, "description": "The `validationToken`, which tries whether we are here."},
        202: {"description": "The calendar is looked at."},
        **_PROBLEMS,
    },
    openapi_extra={
        "requestBody": {
            "description": "`value` lists what Graph tells; of each, the `clientState` is read. None comes with a "
            "`validationToken`.",
            "content": {"application/json": {"schema": {"type": "object", "examples": [_EXAMPLE]}}},
        }
    },
)
async def microsoft(
    ticket: str,
    request: Request,
    db: Db,
    resources: EngineResources,
    validation_token: Annotated[str | None, Query(alias="validationToken")] = None,
) -> Response:
    """Microsoft Graph says that something was changed, or tries the address. No key is needed: who knows the ticket in
    the path and the subscription's `clientState` is the provider."""
    hook = await _hook(db, resources, "microsoft", ticket)
    if validation_token is not None:
        headers = {"X-Content-Type-Options": "nosniff"}
        return Response(validation_token, headers=headers, media_type="text/plain")
    try:
        told = msgspec.json.decode(await request.body(), type=_Notifications).value
    except msgspec.DecodeError as error:
        raise _unknown() from error
    return await _look(db, hook, [each.client_state for each in told])


@router.post(
    "/google/{ticket}",
    status_code=status.HTTP_202_ACCEPTED,
    response_class=Response,
    responses={202: {"description": "The calendar is looked at."}, **_PROBLEMS},
)
async def google(
    ticket: str,
    db: Db,
    resources: EngineResources,
    token: Annotated[str, Header(alias="X-Goog-Channel-Token")] = "",
) -> Response:
    """Google says that something was changed, or that it begins to. No key is needed: who knows the ticket in the path
    and the channel's token is the provider."""
    return await _look(db, await _hook(db, resources, "google", ticket), [token])


async def _hook(db: Database, resources: Resources, provider: ProviderName, ticket: str) -> Hook:
    tenant_id, digest = claimed_tenant(ticket), hash_secret(ticket)
    if tenant_id is None:
        raise _unknown()
    async with db.tenant(tenant_id) as tx:
        hook = await calendar_watches.find(tx, provider, digest)
    if hook is None:
        raise _unknown()
    await resources.limiter.admit_hook(tenant_id, digest.hex())
    return hook


async def _look(db: Database, hook: Hook, said: Sequence[str]) -> Response:
    """Have the calendar looked at, where all that was said is its secret: nothing else of the call is relied upon."""
    right = [hmac.compare_digest(hash_secret(secret), hook.secret_hash) for secret in said]
    if not right or not all(right):
        raise _unknown()
    async with db.tenant(hook.tenant_id) as tx:
        await remote_calendars.sync_now(tx, hook.remote_calendar_id)
    return Response(status_code=status.HTTP_202_ACCEPTED)


def _unknown() -> NotFound:
    return NotFound("Nobody waits for this call.")
