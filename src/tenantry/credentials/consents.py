"""Connecting: a consent that is bound to the session that asked for it, or a password that is tried first."""

import base64
import binascii
import hashlib
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from tenantry.credentials.connections import BasicSecret, ConnectionKeeper, ConnectionKey, GivenCredentials, OAuthSecret
from tenantry.credentials.oauth import (
    PROVIDERS,
    Grant,
    GrantRefused,
    OAuth,
    OAuthName,
    challenge_of,
    lacks_scopes,
    new_verifier,
)
from tenantry.credentials.vault import Binding, Vault
from tenantry.domain.connection import Connection, ProviderName
from tenantry.domain.errors import CalendarUnavailable, ConnectionBroken, ConsentInvalid, SealedValueUnreadable
from tenantry.domain.ids import new_id
from tenantry.storage.repositories import consents
from tenantry.storage.repositories.consents import StoredConsent
from tenantry.storage.tenancy import TenantTx

LASTS = timedelta(minutes=10)
_RANDOM = 26
_STATE_LENGTH = 56

AccountOf = Callable[[ProviderName, GivenCredentials, str], Awaitable[str]]
"""As whom a credential is signed in, asked of the provider, by CalDAV of the server at the address. Raises
CalendarUnavailable, ConnectionBroken and CalendarRefused."""


@dataclass(frozen=True, slots=True)
class AskedConsent:
    """Where to go for a consent, and until when; `session` is for the asking browser session alone."""

    id: UUID
    authorization_url: str = field(repr=False)
    state: str = field(repr=False)
    session: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class TakenConsent:
    """A consent that somebody came back with, which nobody else can any more. `asked_by` is the key that asked."""

    key: ConnectionKey
    provider: OAuthName
    asked_by: UUID
    verifier: str = field(repr=False)
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A credential that the provider accepted; `grant` is what its tokens came with."""

    key: ConnectionKey
    secret: OAuthSecret | BasicSecret
    account: str
    grant: Grant | None = None


@dataclass(frozen=True, slots=True)
class Removed:
    """A connection that is gone here; `token` may take it back at the provider."""

    connection_id: UUID
    provider: ProviderName
    token: str | None = field(repr=False)


def cookie_name(state: str) -> str:
    """The name of the cookie that holds the session of a consent; each has its own, so that two may be open."""
    return f"tenantry_consent_{_hash(state).hex()[:16]}"


def tenant_of(state: str) -> UUID | None:
    """The tenant whose consent this state names, None when it has not the form of one."""
    if len(state) != _STATE_LENGTH:
        return None
    try:
        return UUID(bytes=base64.b64decode(state, altchars=b"-_", validate=True)[:16])
    except (binascii.Error, ValueError):
        return None


class Connecting:
    """Makes connections and ends them: by OAuth with a consent first, to a CalDAV server with a password."""

    def __init__(self, vault: Vault, keeper: ConnectionKeeper, oauth: OAuth, account_of: AccountOf) -> None:
        self._vault = vault
        self._keeper = keeper
        self._oauth = oauth
        self._account_of = account_of

    async def ask(
        self, tx: TenantTx, owner_member_id: UUID | None, provider: OAuthName, *, redirect_uri: str, asked_by: UUID
    ) -> AskedConsent:
        """Begin a consent for a member or, with no owner, for the tenant. Raises ProviderNotSetUp and InvalidInput."""
        state = base64.urlsafe_b64encode(tx.tenant_id.bytes + secrets.token_bytes(_RANDOM)).decode()
        session, verifier, consent_id = secrets.token_urlsafe(32), new_verifier(), new_id()
        url = self._oauth.authorization_url(
            provider, redirect_uri=redirect_uri, state=state, challenge=challenge_of(verifier)
        )
        sealed = self._vault.seal(_binding(tx.tenant_id, owner_member_id, consent_id), verifier.encode())
        expires_at = await consents.ask(
            tx,
            StoredConsent(consent_id, owner_member_id, provider, sealed, redirect_uri, asked_by),
            state_hash=_hash(state),
            session_hash=_hash(session),
            lasts=LASTS,
        )
        return AskedConsent(consent_id, url, state, session, expires_at)

    async def take(self, tx: TenantTx, state: str, session: str) -> TakenConsent:
        """Use the consent of this state. Raises ConsentInvalid when it was used, has ended, was never asked for, or by
        another session, to which it is then left."""
        stored = await consents.take(tx, state_hash=_hash(state), session_hash=_hash(session))
        if stored is None or stored.provider == "caldav":
            raise ConsentInvalid
        verifier = self._vault.open(_binding(tx.tenant_id, stored.owner_member_id, stored.id), stored.sealed_verifier)
        key = ConnectionKey(tx.tenant_id, stored.owner_member_id, stored.provider)
        return TakenConsent(key, stored.provider, stored.asked_by, verifier.decode(), stored.redirect_uri)

    async def sign_in(self, taken: TakenConsent, code: str) -> SignedIn:
        """Exchange the code that the provider sent for tokens. Raises ConsentInvalid, ConnectionBroken,
        CalendarRefused, CalendarUnavailable and ProviderNotSetUp."""
        name = taken.provider
        try:
            grant = await self._oauth.exchange(
                name, code=code, verifier=taken.verifier, redirect_uri=taken.redirect_uri
            )
        except GrantRefused as refused:
            raise ConsentInvalid(f"{name} does not accept this consent; start connecting again.") from refused
        if lacks_scopes(name, grant.scopes):
            raise ConsentInvalid("The consent leaves out calendars; start again and allow all that is asked for.")
        if grant.refresh_token is None:
            raise ConsentInvalid(f"{name} gave no lasting consent; remove this app from the account and start again.")
        secret = OAuthSecret(grant.access_token, grant.refresh_token)
        try:
            account = await self._account_of(name, GivenCredentials(secret), "")
        except CalendarUnavailable:
            # The consent cannot be used a second time, and who it is of is only shown.
            account = ""
        if grant.scopes is None:
            grant = replace(grant, scopes=PROVIDERS[name].scopes)
        return SignedIn(taken.key, secret, account, grant)

    async def try_password(self, key: ConnectionKey, secret: BasicSecret) -> SignedIn:
        """Ask the CalDAV server whether it takes this user name and password. Raises ConnectionBroken when it does not,
        CalendarRefused and CalendarUnavailable."""
        try:
            account = await self._account_of(key.provider, GivenCredentials(secret), secret.url)
        except ConnectionBroken as error:
            raise ConnectionBroken("The server does not accept this user name or password; correct them.") from error
        return SignedIn(key, secret, account or secret.username)

    async def keep(self, tx: TenantTx, signed_in: SignedIn) -> Connection:
        """Keep a credential in the place of the owner's one for the provider. Raises InvalidInput when the owner is no
        member of the tenant."""
        return await self._keeper.keep(
            tx, signed_in.key, signed_in.secret, account=signed_in.account, grant=signed_in.grant
        )

    async def remove(self, tx: TenantTx, key: ConnectionKey) -> Removed:
        """Remove the owner's connection to the provider. Raises NotFound."""
        connection_id, sealed = await self._keeper.remove(tx, key)
        token: str | None = None
        if key.provider != "caldav":
            with suppress(SealedValueUnreadable):
                token = self._keeper.open_tokens(key, connection_id, sealed).refresh_token
        return Removed(connection_id, key.provider, token)

    async def revoke(self, removed: Removed) -> bool:
        """Take the consent back at the provider too; whether that worked, False where there is no way to."""
        if removed.provider == "caldav" or removed.token is None:
            return False
        return await self._oauth.revoke(removed.provider, removed.token)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _binding(tenant_id: UUID, owner_member_id: UUID | None, consent_id: UUID) -> Binding:
    return Binding(tenant_id, owner_member_id, "consent", consent_id)
