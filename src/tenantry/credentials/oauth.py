"""Signing in at calendar providers: OAuth 2.0 by code with PKCE (RFC 6749, 7636), renewal and revocation of tokens."""

import asyncio
import base64
import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Literal
from urllib.parse import urlencode

import msgspec

from tenantry.domain.connection import Health
from tenantry.domain.errors import CalendarUnavailable, ProviderNotSetUp
from tenantry.outbound.client import CallFailed, OutboundHttp, OutboundRequest
from tenantry.settings import CalendarSettings, OAuthClient

OAuthName = Literal["microsoft", "google"]
_LARGEST = 64 * 1024
_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
_ERROR_CODE = re.compile(r"[a-z_]{1,40}")
_AADSTS = re.compile(r"AADSTS(\d{4,7})")
_SIGN_IN_AGAIN = "sign in again."


@dataclass(frozen=True, slots=True)
class OAuthProvider:
    """What is asked for at a provider. A consent that lacks one of `required` scopes is of no use."""

    scopes: tuple[str, ...]
    required: tuple[str, ...]
    extra: Mapping[str, str]


_GOOGLE = ("https://www.googleapis.com/auth/calendar.events", "https://www.googleapis.com/auth/calendar.readonly")
PROVIDERS: Mapping[OAuthName, OAuthProvider] = MappingProxyType(
    {
        "microsoft": OAuthProvider(
            ("offline_access", "Calendars.ReadWrite", "User.Read"),
            ("Calendars.ReadWrite",),
            {"prompt": "select_account"},
        ),
        # Without `prompt=consent` a second consent comes without a refresh token.
        "google": OAuthProvider(_GOOGLE, _GOOGLE, {"access_type": "offline", "prompt": "consent"}),
    }
)


@dataclass(frozen=True, slots=True)
class Grant:
    """Tokens that a provider gave; None is what it did not say or give."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    scopes: tuple[str, ...] | None
    expires_in: timedelta | None
    refresh_expires_in: timedelta | None


class GrantRefused(Exception):
    """The provider does not accept the code or refresh token any more: `health` says what the connection is then,
    `reason` why, in a sentence without secrets."""

    def __init__(self, health: Health, reason: str) -> None:
        super().__init__(reason)
        self.health = health
        self.reason = reason


# https://learn.microsoft.com/entra/identity-platform/reference-error-codes
_REFUSALS: Mapping[str, tuple[Health, str]] = MappingProxyType(
    {
        "700082": (Health.NEEDS_SIGN_IN, "Microsoft ended the sign-in since it was not used for too long"),
        "700084": (Health.NEEDS_SIGN_IN, "Microsoft ended the sign-in, which lasts a limited time"),
        "50173": (Health.REVOKED, "The password was changed, or the sign-ins were revoked at Microsoft"),
        "50076": (Health.NEEDS_SIGN_IN, "The organisation asks for another factor of authentication"),
        "50079": (Health.NEEDS_SIGN_IN, "The organisation asks for another factor of authentication"),
        "50057": (Health.REVOKED, "The account is disabled at Microsoft"),
        "65001": (Health.REVOKED, "The consent was taken back at Microsoft"),
    }
)
# Codes that say something of this token; any other is a fault of the installation's registration or of the moment.
_GRANT_ERRORS = frozenset({"invalid_grant", "interaction_required", "consent_required", "login_required"})


class _TokenAnswer(msgspec.Struct):
    access_token: str
    token_type: str
    expires_in: float | None = None
    refresh_token: str | None = None
    refresh_token_expires_in: float | None = None
    scope: str | None = None


class _ErrorAnswer(msgspec.Struct):
    error: str = ""
    error_description: str = ""


def new_verifier() -> str:
    """A fresh code verifier of 256 bits (RFC 7636, 4.1)."""
    return secrets.token_urlsafe(32)


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a code verifier (RFC 7636, 4.2)."""
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


class OAuth:
    """The installation's registrations at providers, and requests to their token endpoints."""

    def __init__(self, settings: CalendarSettings, outbound: OutboundHttp, *, deadline_s: float = 10.0) -> None:
        """No request takes longer than `deadline_s`."""
        self._clients: dict[OAuthName, OAuthClient | None] = {
            "microsoft": settings.microsoft,
            "google": settings.google,
        }
        self._outbound = outbound
        self.deadline_s = deadline_s

    def client(self, name: OAuthName) -> OAuthClient:
        """The registration at the provider. Raises ProviderNotSetUp."""
        client = self._clients[name]
        if client is None:
            prefix = name.upper()
            raise ProviderNotSetUp(
                f"This installation has no OAuth client for {name}; the operator sets {prefix}_CLIENT_ID and "
                f"{prefix}_CLIENT_SECRET."
            )
        return client

    def authorization_url(self, name: OAuthName, *, redirect_uri: str, state: str, challenge: str) -> str:
        """Where a browser goes to consent. Raises ProviderNotSetUp."""
        client, asked = self.client(name), PROVIDERS[name]
        query = {
            "client_id": client.client_id,
            "response_type": "code",
            "redirect_uri": redirect_uri,
            "scope": " ".join(asked.scopes),
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **asked.extra,
        }
        return f"{client.authorize_url}?{urlencode(query)}"

    async def exchange(self, name: OAuthName, *, code: str, verifier: str, redirect_uri: str) -> Grant:
        """The tokens for a code. Raises GrantRefused, CalendarUnavailable and ProviderNotSetUp."""
        return await self._grant(
            name, grant_type="authorization_code", code=code, code_verifier=verifier, redirect_uri=redirect_uri
        )

    async def refresh(self, name: OAuthName, refresh_token: str) -> Grant:
        """New tokens for a refresh token. Raises GrantRefused, CalendarUnavailable and ProviderNotSetUp."""
        # Google takes no scopes here; Microsoft wants those of the new token.
        scope = {"scope": " ".join(PROVIDERS[name].scopes)} if name == "microsoft" else {}
        return await self._grant(name, grant_type="refresh_token", refresh_token=refresh_token, **scope)

    async def revoke(self, name: OAuthName, token: str) -> bool:
        """Take a consent back at the provider (RFC 7009); whether it says that it did so, False where it cannot."""
        client = self._clients[name]
        if client is None or client.revoke_url is None:
            return False
        try:
            status, _ = await self._post(client.revoke_url, {"token": token})
        except CalendarUnavailable:
            return False
        # 400: it was no valid token any more.
        return status in (200, 400)

    async def _grant(self, name: OAuthName, **form: str) -> Grant:
        client = self.client(name)
        status, body = await self._post(
            client.token_url, {"client_id": client.client_id, "client_secret": client.client_secret, **form}
        )
        if status == 200:
            return _grant_of(name, body)
        raise _refusal(name, status, body)

    async def _post(self, url: str, form: Mapping[str, str]) -> tuple[int, bytes]:
        request = OutboundRequest("POST", url, {}, _FORM, urlencode(form).encode(), self.deadline_s)
        try:
            async with asyncio.timeout(self.deadline_s), self._outbound.stream(request) as answer:
                return answer.status, b"".join([part async for part in answer.chunks(_LARGEST)])
        except CallFailed as failed:
            raise CalendarUnavailable(f"The provider's sign-in could not be asked: {failed.message}") from failed
        except TimeoutError as error:
            raise CalendarUnavailable("The provider's sign-in did not answer in time.") from error


def _grant_of(name: OAuthName, body: bytes) -> Grant:
    answer = _decoded(body, _TokenAnswer)
    if answer is None or answer.token_type.lower() != "bearer" or not _is_token(answer.access_token):
        raise CalendarUnavailable(f"The sign-in of {name} answered with something else than a bearer token.")
    return Grant(
        access_token=answer.access_token,
        refresh_token=answer.refresh_token or None,
        scopes=None if answer.scope is None else tuple(answer.scope.split()),
        expires_in=_seconds(answer.expires_in),
        refresh_expires_in=_seconds(answer.refresh_token_expires_in),
    )


def _is_token(text: str) -> bool:
    # What goes into a header is plain: RFC 6750, 2.1 allows fewer letters than these.
    return re.fullmatch(r"[!-~]+", text) is not None


def _seconds(number: float | None) -> timedelta | None:
    return None if number is None else timedelta(seconds=min(max(number, 0), 10 * 365 * 86_400))


def _refusal(name: OAuthName, status: int, body: bytes) -> Exception:
    """What an error of a token endpoint means (RFC 6749, 5.2); its description may quote the account, so only known
    numbers are taken out of it."""
    answer = _decoded(body, _ErrorAnswer) or _ErrorAnswer()
    code = answer.error if _ERROR_CODE.fullmatch(answer.error) else ""
    number = next(iter(_AADSTS.findall(answer.error_description)), "")
    if status in (400, 401) and code in _GRANT_ERRORS:
        if number in _REFUSALS:
            health, reason = _REFUSALS[number]
            return GrantRefused(health, f"{reason} (AADSTS{number}); {_SIGN_IN_AGAIN}")
        if name == "google":
            return GrantRefused(
                Health.REVOKED, f"The consent was taken back or has ended at Google ({code}); {_SIGN_IN_AGAIN}"
            )
        told = f"AADSTS{number}" if number else code
        return GrantRefused(
            Health.NEEDS_SIGN_IN, f"The provider does not accept the sign-in ({told}); {_SIGN_IN_AGAIN}"
        )
    told = " ".join(part for part in (f"HTTP {status}", code, f"AADSTS{number}" if number else "") if part)
    return CalendarUnavailable(f"The sign-in of {name} answered {told}.")


def _decoded(body: bytes, into: type[Any]) -> Any:
    try:
        return msgspec.json.decode(body, type=into)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def lacks_scopes(name: OAuthName, granted: tuple[str, ...] | None) -> bool:
    """Whether a consent leaves out what is needed; a provider that does not say gave what was asked for (RFC 6749,
    5.1)."""
    if granted is None:
        return False
    # Microsoft may name them with the address of the resource before.
    there = {scope.rsplit("/", 1)[-1].lower() for scope in granted}
    return any(scope.rsplit("/", 1)[-1].lower() not in there for scope in PROVIDERS[name].required)
