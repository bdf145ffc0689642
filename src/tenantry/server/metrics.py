"""The metrics of the process, for the operator alone: they tell of all tenants."""

import hashlib
import hmac
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from tenantry.api.problems import problems
from tenantry.domain.errors import NotFound, Unauthenticated
from tenantry.server.runtime import Runtime
from tenantry.telemetry.telemetry import CONTENT_TYPE

router = APIRouter(tags=["probes"])

_bearer = HTTPBearer(auto_error=False, scheme_name="Operator", description="The operator's `TENANTRY_METRICS_TOKEN`.")


async def _operator(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    token = runtime.settings.telemetry.metrics_token
    if token is None:
        raise NotFound("There are no metrics here; the operator sets TENANTRY_METRICS_TOKEN to have them.")
    given = credentials.credentials if credentials else ""
    # Hashes are of one length, so that the time of the comparison tells nothing.
    if not hmac.compare_digest(_hash(given), _hash(token)):
        raise Unauthenticated("Send `Authorization: Bearer …` with the operator's TENANTRY_METRICS_TOKEN.")
    return runtime


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


@router.get("/metrics", response_class=Response, responses=problems(Unauthenticated, NotFound))
async def metrics(runtime: Annotated[Runtime, Depends(_operator)]) -> Response:
    """What the process has done, in the text format of Prometheus."""
    text = await runtime.telemetry.exposition()
    if text is None:
        raise NotFound("There are no metrics here; the server is not running yet.")
    return Response(text, media_type=CONTENT_TYPE)
