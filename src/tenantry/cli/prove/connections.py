"""What the parties connected, and consents they asked for: tried by everybody else, in every way but the right one."""

import base64
import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from tenantry.auth.identity import identify
from tenantry.auth.tenant_secrets import hash_secret, make_secret
from tenantry.calendars.choosing import Choosing
from tenantry.cli.prove.http import Answer, Request, Wire
from tenantry.cli.prove.world import Party, PlantedHook, Side, World
from tenantry.credentials.connection_store import ConnectionStore
from tenantry.credentials.connections import BasicSecret, ConnectionKeeper, ConnectionKey, GivenCredentials, OAuthSecret
from tenantry.credentials.consents import Connecting, SignedIn, cookie_name
from tenantry.credentials.oauth import OAuth
from tenantry.domain.calendar import CalendarChoice, Watch
from tenantry.domain.connection import Connection, ProviderName
from tenantry.domain.errors import SealedValueUnreadable, TenantryError
from tenantry.engine.resources import Resources
from tenantry.server.runtime import Runtime
from tenantry.settings import CalendarSettings, OAuthClient
from tenantry.storage.isolation.crossing import Crossing
from tenantry.storage.isolation.seeding import look_at_nothing, plan_removal
from tenantry.storage.isolation.tables import fingerprints
from tenantry.storage.repositories import booking_notices, calendar_watches, calendars, remote_calendars
from tenantry.storage.repositories.remote_calendars import Chosen
from tenantry.storage.tenancy import Database, TenantTx

BORDER = "connections"
_DAY = timedelta(days=1)
_CALLBACK = "/oauth/callback"
_NOT_GIVEN = "access_denied"
_CLIENT = OAuthClient(
    client_id="proof",
    client_secret="proof",  # noqa: S106 - of no provider that there is
    authorize_url="https://login.invalid/authorize",
    token_url="https://login.invalid/token",  # noqa: S106
    revoke_url=None,
    api_url="https://login.invalid",
)


def registered(runtime: Runtime) -> Runtime:
    """The runtime with registrations at providers that do not exist, so that consents can be asked for and nothing is
    sent to anybody."""
    resources = runtime.resources
    oauth = OAuth(CalendarSettings(_CLIENT, _CLIENT), resources.outbound)
    connecting = Connecting(resources.vault, ConnectionKeeper(resources.vault), oauth, _account_of)
    choosing = Choosing(resources.db, _NothingOffered())
    return replace(runtime, resources=replace(resources, connecting=connecting, choosing=choosing))


class _NothingOffered:
    """Providers that have nothing."""

    async def of(self, tenant_id: UUID, owner_member_id: UUID | None, name: ProviderName) -> "_NothingOffered":
        return self

    async def calendars(self) -> list[CalendarChoice]:
        return []


async def _account_of(_: ProviderName, __: GivenCredentials, ___: str) -> str:
    return "somebody"


async def connect(resources: Resources, world: World) -> World:
    """The world after every party has connected three accounts and asked for a consent."""
    return replace(world, a=await _side(resources, world.a), b=await _side(resources, world.b))


async def _side(resources: Resources, side: Side) -> Side:
    first, second, own = [await _connected(resources, party) for party in side.parties]
    return replace(side, first=first, second=second, own=own)


async def _connected(resources: Resources, party: Party) -> Party:
    value, account = party.secret_value, f"{party.word}@account.example"
    owner, connecting = party.member_id, resources.connecting
    async with resources.db.tenant(party.tenant_id) as tx:
        google = await connecting.keep(
            tx, SignedIn(ConnectionKey(tx.tenant_id, owner, "google"), OAuthSecret(value, value), account)
        )
        caldav = await connecting.keep(
            tx,
            SignedIn(
                ConnectionKey(tx.tenant_id, owner, "caldav"), BasicSecret("https://dav.invalid/", "u", value), account
            ),
        )
        microsoft = await connecting.keep(
            tx, SignedIn(ConnectionKey(tx.tenant_id, owner, "microsoft"), OAuthSecret(value, value), account)
        )
        hooks = [await _watched(tx, party, connection) for connection in (google, microsoft)]
        await look_at_nothing(tx)
        await booking_notices.leave(tx, party.booking_id, "moved")
        await plan_removal(tx, google.id, party.word)
        key_id = (await identify(tx, party.key)).key_id
        consent = await connecting.ask(tx, owner, "google", redirect_uri="http://127.0.0.1:9/", asked_by=key_id)
    return replace(party, connection_id=google.id, spare_connection_id=caldav.id, consent=consent, hooks=tuple(hooks))


async def _watched(tx: TenantTx, party: Party, connection: Connection) -> PlantedHook:
    """A calendar of the connection, and a subscription by which its provider tells of changes."""
    calendar_id = await calendars.find_or_create(tx, connection.owner_member_id)
    # It counts for nothing: no booking of the proof goes out of the house.
    choice = CalendarChoice(remote_id=party.word, name=f"Calendar {party.word}", primary=True, writable=True)
    await remote_calendars.put(tx, calendar_id, connection.id, [Chosen(choice, False, False)])
    (remote,) = await remote_calendars.of_connection(tx, connection.id)
    hook = PlantedHook(tx.tenant_id, connection.provider, make_secret(tx.tenant_id), secrets.token_urlsafe(32))
    await calendar_watches.claim(tx, remote.id, _DAY)
    await calendar_watches.begin(tx, remote.id, hash_secret(hook.ticket), hash_secret(hook.secret))
    watch = Watch(party.word, party.word, datetime.now(UTC) + _DAY)
    await calendar_watches.keep(tx, remote.id, hash_secret(hook.ticket), watch)
    # Nothing is booked in it: no look is due until there is a call.
    await remote_calendars.claim_sync(tx, remote.id, _DAY, _DAY)
    return hook


async def attack(wire: Wire, db: Database, world: World, store: ConnectionStore) -> list[Crossing]:
    """Use connections as everybody else, and finish consents that others asked for."""
    found = await _others_connections(world, store)
    for target in (world.victim, world.a.own):
        for who, state, session in _forgeries(world, target):
            found.append(await _forged(wire, db, target, who, state, session))
        # Who asked can still finish it, once.
        found.append(await _finished(wire, db, target, "its own session", expected="used"))
        found.append(await _finished(wire, db, target, "its own session, again", expected="refused"))
    return found


async def _others_connections(world: World, store: ConnectionStore) -> list[Crossing]:
    parties = (*world.a.parties, *world.b.parties)
    found: list[Crossing] = []
    for party in parties:
        access = await store.of(party.tenant_id, party.member_id, "google").access()
        whose = [each for each in parties if access.authorization == f"Bearer {each.secret_value}"]
        got = f"that of {whose[0].name} of {whose[0].slug}" if whose else "another token"
        held = [each.word for each in whose] == [party.word]
        expected = f"that of {party.name} of {party.slug}"
        found.append(Crossing(BORDER, f"{party.name} of {party.slug}", "the token to use", expected, got, held))
    return found


def _forgeries(world: World, target: Party) -> Iterator[tuple[str, str, str]]:
    """Who tries it, with which state and which session."""
    own, other = target.consent, world.b.first.consent
    mine, theirs = (base64.urlsafe_b64decode(consent.state) for consent in (own, other))
    here = base64.urlsafe_b64encode(mine[:16] + theirs[16:]).decode()
    there = base64.urlsafe_b64encode(theirs[:16] + mine[16:]).decode()
    fresh = base64.urlsafe_b64encode(mine[:16] + bytes(26)).decode()
    yield "a forwarded link, no session", own.state, ""
    yield "a forwarded link, the other member's session", own.state, world.neighbour.consent.session
    yield "a forwarded link, another tenant's session", own.state, other.session
    yield "a made-up state, its own session", fresh, own.session
    yield "another tenant's state under this tenant's id", here, other.session
    yield "its state under another tenant's id", there, own.session


async def _forged(wire: Wire, db: Database, target: Party, who: str, state: str, session: str) -> Crossing:
    before = await fingerprints(db, target.tenant_id)
    answer = await _come_back(wire, state, session, {"code": "a-code"})
    changed = before != await fingerprints(db, target.tenant_id)
    got = f"{answer.status}, {'changed' if changed else 'nothing changed'}"
    held = answer.status == 400 and answer.field("code") == "consent_invalid" and not changed
    return Crossing(BORDER, who, f"GET {_CALLBACK} of {target.name}", "400, nothing changed", got, held)


async def _finished(wire: Wire, db: Database, target: Party, who: str, *, expected: str) -> Crossing:
    """Come back with a consent that was not given: it is used all the same, and no provider is asked."""
    before = await fingerprints(db, target.tenant_id)
    await _come_back(wire, target.consent.state, target.consent.session, {"error": _NOT_GIVEN})
    after = await fingerprints(db, target.tenant_id)
    changed = [name for name in before if before[name] != after[name]]
    got = "used" if changed == ["consents"] else f"changed {', '.join(changed)}" if changed else "refused"
    return Crossing(BORDER, who, f"GET {_CALLBACK} of {target.name}", expected, got, held=got == expected)


async def _come_back(wire: Wire, state: str, session: str, said: dict[str, str]) -> Answer:
    cookies = {cookie_name(state): session} if session else {}
    return await wire.send(None, Request("GET", _CALLBACK, {"state": state, **said}), cookies)


async def open_copies(store: ConnectionStore, world: World) -> list[Crossing]:
    """Use what the twins have of the victim's: sealed tokens that were copied into another tenant's rows."""
    found: list[Crossing] = []
    for party in world.a.parties:
        if party.member_id is None:
            continue
        try:
            await store.of(world.b.tenant_id, party.member_id, "google").access()
            got = "opened"
        except TenantryError as error:
            got = "refused" if isinstance(error.__cause__, SealedValueUnreadable) else error.code
        what = f"the connection of {party.name}, copied into a row of its own"
        found.append(Crossing(BORDER, "another tenant", what, "refused", got, held=got == "refused"))
    return found
