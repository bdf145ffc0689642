"""What a member signed in to, so that their agents can use it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from ipaddress import ip_address
from typing import Literal
from urllib.parse import urlsplit
from uuid import UUID

from tenantry.domain.errors import FieldError, InvalidInput

ProviderName = Literal["microsoft", "google", "caldav"]
PROVIDERS: tuple[ProviderName, ...] = ("microsoft", "google", "caldav")


class Health(StrEnum):
    """How a connection stands: it works; it works still, but what renews it fails or soon ends; its owner has to sign
    in again; the provider or the owner took the consent back."""

    OK = "ok"
    EXPIRING = "expiring"
    NEEDS_SIGN_IN = "needs_sign_in"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Connection:
    """What is known of the sealed credential of a member, or with no owner of the tenant, for one provider. `account`
    is as whom they signed in, `reason` why the health is not `ok`, `expires_at` when the access token ends."""

    tenant_id: UUID
    id: UUID
    owner_member_id: UUID | None
    provider: ProviderName
    account: str
    scopes: tuple[str, ...]
    health: Health
    reason: str
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Access:
    """What a request to a provider is authorized with: the value of an `Authorization` header. `version` names the
    credential that it was made of."""

    authorization: str
    version: int

    def __repr__(self) -> str:
        return f"Access(version={self.version})"


def _is_nearby(host: str) -> bool:
    """Whether the name or address is one of this machine or of a private network, as far as it tells by itself."""
    try:
        return not ip_address(host).is_global
    except ValueError:
        return host == "localhost" or "." not in host


def validate_server(url: str, username: str, password: str) -> None:
    """Raises InvalidInput for what is no address of a CalDAV server, and for what cannot sign in by RFC 7617; the text
    never repeats the password."""
    faults: list[FieldError] = []
    try:
        parts = urlsplit(url)
        absolute = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        absolute, parts = False, urlsplit("")
    if not absolute or not url.isascii() or not url.isprintable() or " " in url:
        faults.append(FieldError("url", "is no absolute http or https URL, such as https://dav.example.org/"))
    elif parts.scheme == "http" and not _is_nearby(parts.hostname or ""):
        faults.append(FieldError("url", "would send the password in clear over the internet; give an https URL"))
    elif "@" in parts.netloc or parts.query or parts.fragment:
        faults.append(FieldError("url", "holds a user name, a query or a fragment; leave it out"))
    if ":" in username or not username.isprintable():
        faults.append(FieldError("username", "holds a colon or a character that cannot be shown"))
    if not password.isprintable():
        faults.append(FieldError("password", "holds a character that cannot be typed"))
    if faults:
        raise InvalidInput("This cannot be a CalDAV server to sign in to; correct the named fields.", errors=faults)
