"""`/call`: the page on which people talk to an agent, as `make web` builds it into the package."""

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse

from tenantry.api.common import Db, TheSettings
from tenantry.auth.site_keys import tenant_of_site
from tenantry.channels.livekit_voice.browser.calls import BrowserCalls
from tenantry.domain.call import Site
from tenantry.domain.errors import NotFound, PageNotBuilt
from tenantry.settings import Settings
from tenantry.storage.repositories import sites
from tenantry.storage.tenancy import Database

_FOLDER = Path(__file__).parents[1] / "page"
_YEAR_S = 365 * 24 * 3600
router = APIRouter(include_in_schema=False)


@router.get("/call")
async def call_page(
    request: Request, db: Db, settings: TheSettings, site: Annotated[str, Query(max_length=200)] = ""
) -> Response:
    """The call page. A site's pages may show it in a frame; they give the frame `allow="microphone"`."""
    page = _FOLDER / "call.html"
    if not page.is_file():
        raise PageNotBuilt
    found = await _find_site(db, site)
    if found is not None and settings.voice.livekit is None:
        # Whoever opens the page calls in a moment, and the first call would wait for all that is loaded.
        here: BrowserCalls = request.app.state.runtime.browser_calls
        here.warm()
    return FileResponse(
        page,
        media_type="text/html",
        headers={
            "Content-Security-Policy": _policy(request, settings, found.origins if found else ()),
            "Cache-Control": "no-cache",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "Permissions-Policy": "microphone=(self), camera=()",
        },
    )


@router.get("/call/assets/{name}")
async def asset(name: str) -> Response:
    """A file of the page, whose name changes with what is in it."""
    path = _FOLDER / "assets" / name
    if name.startswith(".") or not path.is_file():
        raise NotFound("There is no such file; reload the call page.")
    headers = {"Cache-Control": f"public, max-age={_YEAR_S}, immutable", "X-Content-Type-Options": "nosniff"}
    return FileResponse(path, headers=headers)


async def _find_site(db: Database, public_key: str) -> Site | None:
    tenant_id = tenant_of_site(public_key)
    if tenant_id is None:
        return None
    async with db.tenant(tenant_id) as tx:
        return await sites.find(tx, public_key)


def _policy(request: Request, settings: Settings, origins: tuple[str, ...]) -> str:
    """Nothing but what the package has, and LiveKit where it is set up; framed by the site's own pages alone."""
    # Safari's 'self' does not mean the WebSocket of the same host.
    connect = ["'self'", f"ws://{request.url.netloc}", f"wss://{request.url.netloc}"]
    if settings.public_url is not None:
        connect.append(settings.public_url.replace("http", "ws", 1))
    if settings.voice.livekit is not None:
        url = settings.voice.livekit.public_url
        connect += [url, url.replace("ws", "http", 1)]
    rules = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "font-src": "'self'",
        "media-src": "'self' blob:",
        "worker-src": "'self'",
        "connect-src": " ".join(connect),
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": " ".join(["'self'", *origins]),
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())
