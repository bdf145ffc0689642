"""Who opens a call: the holder of an API key, or the visitor of a site by its public key."""

from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response

from tenantry.auth.identity import authenticate
from tenantry.auth.principals import bearer_key
from tenantry.auth.site_keys import tenant_of_site
from tenantry.channels.livekit_voice.origins import is_own_origin
from tenantry.channels.livekit_voice.schemas import CallIn
from tenantry.domain.access import Principal, Scope
from tenantry.domain.call import Site
from tenantry.domain.errors import NotFound, OriginRefused, Unauthenticated
from tenantry.engine.inbound import Inbound, clean_email, clean_metadata, clean_reference
from tenantry.engine.resources import Resources
from tenantry.settings import Settings
from tenantry.storage.repositories import sites, tenants

SITE_HEADER = "X-Tenantry-Site"
_METHODS = {"Access-Control-Allow-Methods": "POST", "Access-Control-Max-Age": "600"}
_HEADERS = {"Access-Control-Allow-Headers": f"content-type, {SITE_HEADER.lower()}"}


@dataclass(frozen=True, slots=True)
class Opener:
    """Who opens a call; `origin` is the site's that they are at."""

    principal: Principal
    site: Site | None = None
    origin: str = ""

    def inbound(self, body: CallIn) -> Inbound:
        """What their conversation begins with. Whom an API key names is the contact; what a browser says of its
        visitor is only told to routing, as `said_by_caller`. Raises InvalidInput, and NotFound for an agent that is
        not the site's."""
        purpose = clean_reference("purpose", body.purpose)
        if self.site is None:
            said = {"user_details": body.user_details} if body.user_details else {}
            return Inbound(
                principal=self.principal,
                channel="voice",
                message="",
                agent_id=body.agent_id,
                lead_id=clean_reference("user_id", body.user_id),
                lead_email=clean_email("user_details.email", _email(body.user_details)),
                purpose=purpose,
                metadata=clean_metadata("metadata", {**said, **body.metadata}),
            )
        if body.agent_id is not None and body.agent_id not in self.site.agent_ids:
            raise NotFound("There is no agent with this id that this site leads to.")
        given = {"user_id": body.user_id, "user_details": body.user_details}
        said = {"said_by_caller": {name: value for name, value in given.items() if value}}
        return Inbound(
            principal=self.principal,
            channel="voice",
            message="",
            agent_id=body.agent_id,
            purpose=purpose,
            metadata=clean_metadata("metadata", {**body.metadata, **(said if any(given.values()) else {})}),
        )


def _email(details: dict[str, Any]) -> str | None:
    given = details.get("email")
    return given if given is None or isinstance(given, str) else str(given)


async def opener_of(request: Request, resources: Resources, settings: Settings) -> Opener:
    """Who asks. A site's visitor is at one of its origins, or at our own call page.

    Raises Unauthenticated, Forbidden and OriginRefused.
    """
    public_key = request.headers.get(SITE_HEADER)
    if public_key is None:
        principal = await authenticate(resources.db, bearer_key(request))
        principal.require(Scope.REPLY)
        return Opener(principal)
    own = is_own_origin(request, settings)
    return await _visitor(resources, public_key, request.headers.get("origin", ""), own=own)


async def admit(request: Request, resources: Resources, opener: Opener) -> None:
    """Count the call against its tenant and, from a site, the visitor's address. Raises RateLimited."""
    caller = None
    if opener.site is not None:
        address = f"{opener.site.id} {request.client.host if request.client else ''}"
        caller = resources.hasher.hash(opener.principal.tenant_id, "address", address).hex()
    await resources.limiter.admit_call(opener.principal.tenant_id, caller)


async def _visitor(resources: Resources, public_key: str, origin: str, *, own: bool) -> Opener:
    unknown = Unauthenticated(f"There is no site with this {SITE_HEADER}; its owner sees the key with its sites.")
    tenant_id = tenant_of_site(public_key)
    if tenant_id is None:
        raise unknown
    async with resources.db.tenant(tenant_id) as tx:
        site = await sites.find(tx, public_key)
        if site is None:
            raise unknown
        tenant = await tenants.current(tx)
    if not own and origin not in site.origins:
        raise OriginRefused
    return Opener(Principal(tenant, site.id, None, None, frozenset({Scope.REPLY})), site, origin)


def preflight(request: Request) -> Response:
    """What browsers ask before they open a call. They do not send the site's key yet, so any web site may ask; the
    call itself is opened for the site's origins alone."""
    origin = request.headers.get("origin", "")
    headers = {**_shared_with(origin), **_METHODS, **_HEADERS} if origin.startswith(("https://", "http://")) else None
    return Response(headers=headers)


def share(response: Response, opener: Opener) -> Response:
    """Let the browser show the answer to the site that asked."""
    if opener.site is not None:
        response.headers.update(_shared_with(opener.origin))
    return response


def _shared_with(origin: str) -> dict[str, str]:
    return {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": "Retry-After", "Vary": "Origin"}
