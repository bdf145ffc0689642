"""Google's OAuth: consent, codes with PKCE, access and refresh tokens, revocation."""

import base64
import hashlib
import secrets
import time
from dataclasses import dataclass, field
from urllib.parse import urlencode

CLIENT_ID = "tenantry.apps.googleusercontent.com"
CLIENT_SECRET = "GOCSPX-not-a-real-secret"


@dataclass
class Grant:
    """What an account allowed a client; `refreshes` counts how often its refresh token was used."""

    account: str
    scopes: frozenset[str]
    refresh_token: str | None = None
    revoked: bool = False
    refreshes: int = 0


@dataclass
class _Code:
    grant: Grant
    redirect_uri: str
    challenge: str


class OAuthError(Exception):
    """Answered as RFC 6749, 5.2 has it."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(error)
        self.error = error
        self.description = description
        self.status = status


@dataclass
class GoogleOAuth:
    """Grants and tokens. `withheld` are scopes that the person at the consent page does not tick; with `denies`, they
    press the other button. Access tokens last `lifetime_s` seconds. `secrets` are all tokens, codes and verifiers there
    ever were."""

    lifetime_s: int = 3599
    withheld: set[str] = field(default_factory=set[str])
    denies: bool = False
    codes: dict[str, _Code] = field(default_factory=dict[str, _Code])
    access: dict[str, tuple[Grant, float]] = field(default_factory=dict[str, tuple[Grant, float]])
    refresh: dict[str, Grant] = field(default_factory=dict[str, Grant])
    consented: set[str] = field(default_factory=set[str])
    secrets: list[str] = field(default_factory=list[str])

    def consent(self, query: dict[str, str], account: str) -> str:
        """Where the browser is sent after the account's consent. Raises OAuthError, which the browser would show."""
        self._check_consent(query)
        state = {"state": query["state"]}
        if self.denies:
            return f"{query['redirect_uri']}?{urlencode({'error': 'access_denied', **state})}"
        grant = Grant(account, frozenset(query["scope"].split()) - self.withheld)
        # A refresh token comes with the first consent only, unless the consent is asked for again.
        if query.get("access_type") == "offline" and (
            account not in self.consented or query.get("prompt") == "consent"
        ):
            grant.refresh_token = f"1//{secrets.token_urlsafe(32)}"
            self.refresh[grant.refresh_token] = grant
            self.secrets.append(grant.refresh_token)
        self.consented.add(account)
        code = f"4/{secrets.token_urlsafe(24)}"
        self.secrets.append(code)
        self.codes[code] = _Code(grant, query["redirect_uri"], query["code_challenge"])
        return f"{query['redirect_uri']}?{urlencode({**state, 'code': code, 'scope': ' '.join(sorted(grant.scopes))})}"

    def _check_consent(self, query: dict[str, str]) -> None:
        if query.get("client_id") != CLIENT_ID:
            raise OAuthError("invalid_client", "The OAuth client was not found.", 401)
        for name in ("redirect_uri", "state", "scope"):
            if not query.get(name):
                raise OAuthError("invalid_request", f"Missing required parameter: {name}")
        if query.get("response_type") != "code":
            raise OAuthError("unsupported_response_type", "code is needed")
        if len(query.get("code_challenge", "")) != 43 or query.get("code_challenge_method") != "S256":
            raise OAuthError("invalid_request", "code_challenge of S256 is needed")

    def token(self, form: dict[str, str]) -> dict[str, str | int]:
        """The answer of the token endpoint. Raises OAuthError."""
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            raise OAuthError("invalid_client", "Unauthorized", 401)
        match form.get("grant_type"):
            case "authorization_code":
                grant = self._redeemed(form)
                first = {"refresh_token": grant.refresh_token} if grant.refresh_token else {}
            case "refresh_token":
                grant = self.refresh.get(form.get("refresh_token", ""))
                if grant is None or grant.revoked:
                    raise OAuthError("invalid_grant", "Token has been expired or revoked.")
                grant.refreshes += 1
                first = {}
            case _:
                raise OAuthError("unsupported_grant_type", "Invalid grant_type")
        return {
            "access_token": self.issue(grant),
            "expires_in": self.lifetime_s,
            "scope": " ".join(sorted(grant.scopes)),
            "token_type": "Bearer",
            **first,
        }

    def _redeemed(self, form: dict[str, str]) -> Grant:
        code = self.codes.pop(form.get("code", ""), None)
        if code is None or code.redirect_uri != form.get("redirect_uri"):
            raise OAuthError("invalid_grant", "Malformed auth code.")
        self.secrets.append(form.get("code_verifier", ""))
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(digest).decode().rstrip("=") != code.challenge:
            raise OAuthError("invalid_grant", "Invalid code verifier.")
        return code.grant

    def issue(self, grant: Grant) -> str:
        """A new access token."""
        token = f"ya29.{secrets.token_urlsafe(32)}"
        self.secrets.append(token)
        self.access[token] = (grant, time.time() + self.lifetime_s)
        return token

    def grant_of(self, authorization: str) -> Grant | None:
        """Whose access token it is; None when it is none, too old, or revoked."""
        grant, ends = self.access.get(authorization.removeprefix("Bearer "), (None, 0.0))
        return None if grant is None or grant.revoked or ends <= time.time() else grant

    def revoke(self, token: str) -> None:
        """End the grant that a token of either kind is of. Raises OAuthError."""
        grant = self.refresh.get(token) or self.access.get(token, (None, 0.0))[0]
        if grant is None or grant.revoked:
            raise OAuthError("invalid_token", "Token expired or revoked")
        grant.revoked = True
        self.consented.discard(grant.account)
