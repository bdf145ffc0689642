"""The Microsoft identity platform, as far as it signs people in and gives out tokens, on loopback."""

import base64
import hashlib
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from aiohttp import web

from tests.graph_requests import WrongRequest, query_of

CLIENT_ID = "5f0c7f6e-0000-4000-8000-000000000001"
CLIENT_SECRET = "not-a-real-client-secret"
SCOPES = "offline_access Calendars.ReadWrite User.Read"
_AUTHORIZE = "client_id response_type redirect_uri scope state code_challenge code_challenge_method"
_CODES = {
    "AADSTS700082": "The refresh token has expired due to inactivity.",
    "AADSTS50173": "The provided grant has expired due to it being revoked, a fresh auth token is needed.",
    "AADSTS50076": "Due to a configuration change, you must use multi-factor authentication.",
    "AADSTS54005": "OAuth2 Authorization code was already redeemed, please retry with a new valid code.",
    "AADSTS501481": "The Code_Verifier does not match the code_challenge supplied in the authorization request.",
    "AADSTS9002313": "Invalid request. Request is malformed or invalid.",
}


@dataclass(frozen=True)
class Grant:
    """What a token is for; `ends` is by the monotonic clock."""

    address: str
    scopes: frozenset[str]
    ends: float


@dataclass(frozen=True)
class Asked:
    """What an authorization code was asked with."""

    address: str
    scope: str
    redirect_uri: str
    challenge: str


class NotGranted(Exception):
    """An error of the token endpoint with its AADSTS code."""

    def __init__(self, code: str, error: str = "invalid_grant") -> None:
        super().__init__(code)
        self.code = code
        self.error = error


@dataclass
class Login:
    """Signs in whoever `signed_in` is without asking. An access token works for `seconds`; a refresh token works until
    it is revoked, also when another was given for it. `refreshes` counts those that were answered, `secrets` are all
    tokens, codes and verifiers there ever were."""

    signed_in: str
    seconds: float = 3600
    denies: bool = False
    refreshes: int = 0
    codes: dict[str, Asked] = field(default_factory=dict[str, Asked])
    access: dict[str, Grant] = field(default_factory=dict[str, Grant])
    refresh: dict[str, Grant] = field(default_factory=dict[str, Grant])
    revoked: dict[str, str] = field(default_factory=dict[str, str])
    secrets: list[str] = field(default_factory=list[str])

    def issue(self, address: str, scopes: str = SCOPES) -> str:
        """An access token."""
        token = f"eyJ0.{secrets.token_urlsafe(48)}"
        self.access[token] = Grant(address, frozenset(scopes.split()), time.monotonic() + self.seconds)
        self.secrets.append(token)
        return token

    def revoke(self, address: str, code: str = "AADSTS50173") -> None:
        """No refresh token of the account works any more, for the reason that the code stands for."""
        self.revoked.update({token: code for token, grant in self.refresh.items() if grant.address == address})

    def expire(self, address: str) -> None:
        """No access token of the account works any more."""
        self.access = {token: grant for token, grant in self.access.items() if grant.address != address}

    def granted(self, authorization: str) -> Grant | None:
        """What the `Authorization` header of a request stands for, None when it is not valid."""
        scheme, _, token = authorization.partition(" ")
        grant = self.access.get(token) if scheme == "Bearer" else None
        return grant if grant is not None and time.monotonic() < grant.ends else None

    async def authorize(self, request: web.Request) -> web.Response:
        """The sign-in page, which sends its visitor back at once."""
        allowed = "response_mode prompt login_hint"
        query = query_of(request, allowed=allowed, needed=_AUTHORIZE)
        scopes = set(query["scope"].split())
        if query["client_id"] != CLIENT_ID or query["response_type"] != "code":
            raise WrongRequest("an authorization for another client or response type")
        if query["code_challenge_method"] != "S256" or len(query["code_challenge"]) != 43:
            raise WrongRequest("an authorization without PKCE by S256")
        if not {"offline_access", "Calendars.ReadWrite"} <= scopes <= {*SCOPES.split(), "openid", "profile", "email"}:
            raise WrongRequest(f"an authorization for {sorted(scopes)}")
        if self.denies:
            back = {"error": "access_denied", "error_description": "AADSTS65004: User declined to consent."}
        else:
            code = f"0.{secrets.token_urlsafe(24)}"
            address = query.get("login_hint") or self.signed_in
            self.secrets.append(code)
            self.codes[code] = Asked(address, query["scope"], query["redirect_uri"], query["code_challenge"])
            back = {"code": code}
        link = "&" if "?" in query["redirect_uri"] else "?"
        to = f"{query['redirect_uri']}{link}{urlencode({**back, 'state': query['state']})}"
        return web.Response(status=302, headers={"Location": to})

    async def token(self, request: web.Request) -> web.Response:
        """The token endpoint."""
        if request.content_type != "application/x-www-form-urlencoded":
            raise WrongRequest(f"a token asked for by {request.content_type}")
        form = {name: str(value) for name, value in (await request.post()).items()}
        try:
            address, scope = self._redeemed(form)
        except NotGranted as refused:
            told = f"{refused.code}: {_CODES.get(refused.code, 'Refused.')} Trace ID: 0 Correlation ID: 0"
            number = int(refused.code.removeprefix("AADSTS"))
            return web.json_response(
                {"error": refused.error, "error_description": told, "error_codes": [number]},
                status=401 if refused.error == "invalid_client" else 400,
            )
        refresh = f"1.{secrets.token_urlsafe(48)}"
        scopes = frozenset(scope.split())
        answer = {
            "token_type": "Bearer",
            "scope": " ".join(sorted(scopes - {"offline_access"})),
            "expires_in": int(self.seconds),
            "ext_expires_in": int(self.seconds),
            "access_token": self.issue(address, scope),
        }
        if "offline_access" in scopes:
            self.secrets.append(refresh)
            self.refresh[refresh] = Grant(address, scopes, 0)
            answer["refresh_token"] = refresh
        return web.json_response(answer, headers={"Cache-Control": "no-store"})

    def _redeemed(self, form: Mapping[str, str]) -> tuple[str, str]:
        """For whom and what a token is given. Raises NotGranted."""
        needed = {
            "authorization_code": {"code", "redirect_uri", "code_verifier"},
            "refresh_token": {"refresh_token"},
        }.get(form.get("grant_type", ""))
        if needed is None or not {*needed, "client_id", "client_secret", "grant_type"} <= form.keys():
            raise WrongRequest(f"a token asked for with {sorted(form)}")
        if extra := form.keys() - {*needed, "client_id", "client_secret", "grant_type", "scope"}:
            raise WrongRequest(f"a token asked for with {sorted(extra)} too")
        if (form["client_id"], form["client_secret"]) != (CLIENT_ID, CLIENT_SECRET):
            raise NotGranted("AADSTS7000215", "invalid_client")
        return self._for_code(form) if form["grant_type"] == "authorization_code" else self._for_refresh(form)

    def _for_code(self, form: Mapping[str, str]) -> tuple[str, str]:
        asked = self.codes.pop(form["code"], None)
        if asked is None:
            raise NotGranted("AADSTS54005")
        self.secrets.append(form["code_verifier"])
        hashed = hashlib.sha256(form["code_verifier"].encode()).digest()
        if base64.urlsafe_b64encode(hashed).rstrip(b"=").decode() != asked.challenge:
            raise NotGranted("AADSTS501481")
        if form["redirect_uri"] != asked.redirect_uri:
            raise NotGranted("AADSTS50011")
        return asked.address, asked.scope

    def _for_refresh(self, form: Mapping[str, str]) -> tuple[str, str]:
        grant = self.refresh.get(form["refresh_token"])
        if grant is None:
            raise NotGranted("AADSTS9002313")
        if form["refresh_token"] in self.revoked:
            raise NotGranted(self.revoked[form["refresh_token"]])
        scopes = form.get("scope", " ".join(sorted(grant.scopes)))
        if not set(scopes.split()) <= grant.scopes:
            raise NotGranted("AADSTS65001")
        self.refreshes += 1
        return grant.address, scopes
