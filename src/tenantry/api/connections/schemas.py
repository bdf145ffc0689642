"""What the connections' routes take and give."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from tenantry.api.common import Page, with_examples
from tenantry.domain.calendar import CalendarChoice, RemoteCalendar
from tenantry.domain.connection import Connection, Health, ProviderName


class AuthorizationIn(BaseModel):
    """How to come back from the provider."""

    model_config = with_examples({}, {"redirect_uri": "http://127.0.0.1:53120/"})
    redirect_uri: str | None = Field(
        default=None,
        max_length=500,
        description="For programs: an address of their own on the loopback interface (RFC 8252), such as "
        "`http://127.0.0.1:53120/`. Else this server's `/oauth/callback`.",
    )


class AuthorizationOut(BaseModel):
    """Where the member's browser goes to consent, until `expires_at`. The cookie of this answer must come back with the
    browser: in another one the consent is of no use."""

    authorization_url: str
    expires_at: datetime


class CalDavIn(BaseModel):
    """A CalDAV server and who signs in there; the password is sealed and never shown again."""

    model_config = with_examples(
        {"url": "https://dav.example.org/", "username": "ada", "password": "a password for this app alone"}
    ) | ConfigDict(hide_input_in_errors=True)
    url: str = Field(min_length=1, max_length=1000)
    username: str = Field(min_length=1, max_length=320)
    password: SecretStr = Field(min_length=1, max_length=1000)


class ConnectionOut(BaseModel):
    """What somebody signed in to, never with what; `owner_member_id` null means that it is the tenant's. `health` is
    `expiring` while it works and soon will not, `needs_sign_in` or `revoked` when its owner has to connect again;
    `reason` says why."""

    id: UUID
    owner_member_id: UUID | None
    provider: ProviderName
    account: str
    health: Health
    reason: str
    scopes: list[str]
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, connection: Connection) -> "ConnectionOut":
        """The connection as it is shown."""
        return cls(
            id=connection.id,
            owner_member_id=connection.owner_member_id,
            provider=connection.provider,
            account=connection.account,
            health=connection.health,
            reason=connection.reason,
            scopes=list(connection.scopes),
            expires_at=connection.expires_at,
            created_at=connection.created_at,
            updated_at=connection.updated_at,
        )


class ConnectionPage(Page):
    """Connections, newest first."""

    items: list[ConnectionOut]


class DisconnectedOut(BaseModel):
    """A connection that is gone here. `revoked` says whether the provider took the consent back too, `detail` what is
    left to do where it did not."""

    revoked: bool
    detail: str


class CalendarOut(BaseModel):
    """A calendar of a connection: what the provider says of it, and what it is used for here."""

    remote_id: str
    name: str
    primary: bool
    writable: bool
    counts_busy: bool
    takes_bookings: bool

    @classmethod
    def of(cls, choice: CalendarChoice, used: RemoteCalendar | None) -> "CalendarOut":
        """The calendar as it is shown."""
        return cls(
            remote_id=choice.remote_id,
            name=choice.name,
            primary=choice.primary,
            writable=choice.writable,
            counts_busy=used is not None and used.counts_busy,
            takes_bookings=used is not None and used.takes_bookings,
        )


class CalendarListOut(BaseModel):
    """All calendars of a connection."""

    calendars: list[CalendarOut]


class CalendarIn(BaseModel):
    """A calendar that is to be used: what is in it keeps appointments off (`counts_busy`), or it gets them."""

    model_config = ConfigDict(extra="forbid")
    remote_id: str = Field(min_length=1, max_length=1024)
    counts_busy: bool = True
    takes_bookings: bool = False


class CalendarsIn(BaseModel):
    """Which calendars of a connection are to be used; at most one of them takes bookings."""

    model_config = with_examples(
        {"calendars": [{"remote_id": "primary", "takes_bookings": True}, {"remote_id": "family"}]}
    )
    calendars: list[CalendarIn] = Field(max_length=50)
