"""Which web pages are our own."""

from urllib.parse import urlsplit

from fastapi.requests import HTTPConnection

from tenantry.settings import Settings


def is_own_origin(connection: HTTPConnection, settings: Settings) -> bool:
    """Whether the page that asks came from this server, as the call page does, at whatever address it was reached."""
    origin = connection.headers.get("origin", "")
    return origin == settings.public_url or urlsplit(origin).netloc == connection.headers.get("host")
