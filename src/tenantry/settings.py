"""Settings, read once at start from the environment; flags of the command line come before them."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parseaddr
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit

from tenantry.domain.errors import ConfigurationError
from tenantry.domain.limits import RateLimits, parse_rate

_PROVIDERS = {"OPENROUTER_API_KEY": "https://openrouter.ai/api/v1", "OPENAI_API_KEY": "https://api.openai.com/v1"}
_NO_TLS = {"tls": ["off"]}


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """Where PostgreSQL is. With no `url`, an embedded server runs inside the home folder."""

    url: str | None = None
    pool_size: int = 10
    acquire_timeout_s: float = 10.0


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """Where the server listens."""

    host: str = "127.0.0.1"
    port: int = 8080


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """The installation's language model: any server of the chat-completions wire. `fallbacks` are models of the same
    server that are tried after it, in order."""

    name: str
    base_url: str
    api_key: str | None = field(repr=False)
    fallbacks: tuple[str, ...] = ()

    @property
    def chain(self) -> tuple[str, ...]:
        """All of the models' names, in the order they are tried."""
        return tuple(dict.fromkeys((self.name, *self.fallbacks)))


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """Which addresses tenants' calls to their services may go to besides those of the internet."""

    allowed: tuple[IPv4Network | IPv6Network, ...] = ()


@dataclass(frozen=True, slots=True)
class RedisSettings:
    """Where Redis is, which several processes share; with no `url`, each keeps to its own memory."""

    url: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """The rate limits of every tenant that has none of its own; None is no limit."""

    rates: RateLimits = field(default_factory=RateLimits)


@dataclass(frozen=True, slots=True)
class TelemetrySettings:
    """Who may read metrics, and where traces go; without them there are none. `traces_url` is the collector's full URL
    for OTLP/HTTP, such as "http://localhost:4318/v1/traces"."""

    metrics_token: str | None = field(default=None, repr=False)
    traces_url: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """The installation's registration at a provider. The URLs are the provider's; national clouds have others."""

    client_id: str
    client_secret: str = field(repr=False)
    authorize_url: str
    token_url: str
    revoke_url: str | None
    api_url: str


@dataclass(frozen=True, slots=True)
class CalendarSettings:
    """Which providers members can connect by OAuth, and how often their calendars are looked at for changes."""

    microsoft: OAuthClient | None = None
    google: OAuthClient | None = None
    poll_s: int = 60


@dataclass(frozen=True, slots=True)
class MailSettings:
    """The mail server that takes the installation's mail, and as whom it is sent. `tls` is `starttls` (demanded),
    `tls` from the first byte on, or `off`."""

    host: str
    port: int
    tls: Literal["starttls", "tls", "off"]
    username: str | None
    password: str | None = field(repr=False)
    sender_address: str
    sender_name: str = ""


@dataclass(frozen=True, slots=True)
class LiveKitSettings:
    """The LiveKit server that callers and workers meet at: `url` as this server reaches it (ws:// or wss://),
    `public_url` as browsers do."""

    url: str
    public_url: str
    api_key: str
    api_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class VoiceSettings:
    """Calls. Without `livekit` they go over this server's own WebSocket, at most `browser_calls` at once. `worker_key`
    is what workers show; with None it follows from the master key."""

    livekit: LiveKitSettings | None = None
    worker_key: str | None = field(default=None, repr=False)
    browser_calls: int = 8


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one process."""

    home: Path
    master_key: str | None = field(default=None, repr=False)
    vault_keys: str | None = field(default=None, repr=False)
    database: DatabaseSettings = field(default_factory=DatabaseSettings)
    http: HttpSettings = field(default_factory=HttpSettings)
    model: ModelSettings | None = None
    network: NetworkSettings = field(default_factory=NetworkSettings)
    redis: RedisSettings = field(default_factory=RedisSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    telemetry: TelemetrySettings = field(default_factory=TelemetrySettings)
    calendars: CalendarSettings = field(default_factory=CalendarSettings)
    mail: MailSettings | None = None
    voice: VoiceSettings = field(default_factory=VoiceSettings)
    public_url: str | None = None
    log_level: str = "info"


def default_home() -> Path:
    """`/var/lib/tenantry` for root, else `~/.tenantry`."""
    return Path("/var/lib/tenantry") if os.geteuid() == 0 else Path.home() / ".tenantry"


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from `TENANTRY_HOME`, `TENANTRY_HOST`, `TENANTRY_PORT`, `TENANTRY_POOL_SIZE`,
    `TENANTRY_MASTER_KEY`, `TENANTRY_VAULT_KEYS` (keys that seal, with commas; the first seals, "master" is the master
    key), `TENANTRY_LOG_LEVEL`, `TENANTRY_ALLOW_PRIVATE_ADDRESSES` (networks such as
    "10.0.0.0/8,127.0.0.1", or "true" for every address), `TENANTRY_METRICS_TOKEN`, `OTEL_EXPORTER_OTLP_ENDPOINT` or
    `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, `DATABASE_URL`, `REDIS_URL`, the rate limits
    `TENANTRY_LIMIT_CONTACT` ("60/minute" unless set; empty is none), `TENANTRY_LIMIT_MEMBER` ("600/minute") and
    `TENANTRY_LIMIT_TENANT` ("6000/minute"), and the model from `AGENT_MODEL` with `OPENROUTER_API_KEY`,
    `OPENAI_API_KEY` or `AGENT_BASE_URL`; `AGENT_MODELS` names those to try after it, with commas.

    `TENANTRY_PUBLIC_URL` is where the installation can be reached from outside. Calendars: `MICROSOFT_CLIENT_ID`,
    `MICROSOFT_CLIENT_SECRET`, `MICROSOFT_TENANT` ("common" unless set), `MICROSOFT_LOGIN_URL`, `MICROSOFT_GRAPH_URL`;
    `GOOGLE_CLIENT_ID`, `GOOGLE_CLIENT_SECRET`, `GOOGLE_LOGIN_URL`, `GOOGLE_OAUTH_URL`, `GOOGLE_CALENDAR_URL`;
    `TENANTRY_CALENDAR_POLL` in seconds. Invitations are mailed with `TENANTRY_SMTP_URL`
    ("smtp://user:password@host:587" with STARTTLS, "smtps://…", or "smtp://host:25?tls=off" for a relay nearby) and
    `TENANTRY_MAIL_FROM` ("Acme <bookings@acme.example>"). Calls go over LiveKit with `LIVEKIT_URL`, `LIVEKIT_API_KEY`
    and `LIVEKIT_API_SECRET`, and `LIVEKIT_PUBLIC_URL` where browsers reach it elsewhere; `TENANTRY_WORKER_KEY` is what
    workers on other machines show. Without LiveKit, or for who asks for it, at most `TENANTRY_BROWSER_CALLS` calls (8)
    are on this server's own WebSocket at once. Raises ConfigurationError when they are not usable."""
    env = os.environ if environment is None else environment
    home = Path(env["TENANTRY_HOME"]).expanduser() if env.get("TENANTRY_HOME") else default_home()
    return Settings(
        home=home.absolute(),
        master_key=env.get("TENANTRY_MASTER_KEY") or None,
        vault_keys=env.get("TENANTRY_VAULT_KEYS") or None,
        database=DatabaseSettings(
            url=env.get("DATABASE_URL") or None, pool_size=_number(env, "TENANTRY_POOL_SIZE", 10, 1, 1000)
        ),
        http=HttpSettings(
            host=env.get("TENANTRY_HOST") or "127.0.0.1", port=_number(env, "TENANTRY_PORT", 8080, 0, 65535)
        ),
        model=_model(env),
        network=NetworkSettings(_networks(env, "TENANTRY_ALLOW_PRIVATE_ADDRESSES")),
        redis=RedisSettings(env.get("REDIS_URL") or None),
        limits=LimitSettings(
            RateLimits(
                contact_per_minute=_rate(env, "TENANTRY_LIMIT_CONTACT", "60/minute"),
                member_per_minute=_rate(env, "TENANTRY_LIMIT_MEMBER", "600/minute"),
                tenant_per_minute=_rate(env, "TENANTRY_LIMIT_TENANT", "6000/minute"),
            )
        ),
        telemetry=TelemetrySettings(_metrics_token(env), _traces_url(env)),
        calendars=CalendarSettings(
            _microsoft(env), _google(env), _number(env, "TENANTRY_CALENDAR_POLL", 60, 1, 86_400)
        ),
        mail=_mail(env),
        voice=VoiceSettings(_livekit(env), _worker_key(env), _number(env, "TENANTRY_BROWSER_CALLS", 8, 0, 1000)),
        public_url=_url(env, "TENANTRY_PUBLIC_URL", ""),
        log_level=env.get("TENANTRY_LOG_LEVEL") or "info",
    )


def _number(env: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = env.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise ConfigurationError(f"{name} is {text!r}; give a whole number from {least} to {most}.")
    return int(text)


def _rate(env: Mapping[str, str], name: str, default: str) -> int | None:
    text = env.get(name, default)
    try:
        return parse_rate(text) if text.strip() else None
    except ValueError as error:
        raise ConfigurationError(f"{name}: {error}, or leave it empty for no limit.") from error


def _model(env: Mapping[str, str]) -> ModelSettings | None:
    name = env.get("AGENT_MODEL")
    if not name:
        return None
    fallbacks = tuple(part.strip() for part in env.get("AGENT_MODELS", "").split(",") if part.strip())
    for key, base_url in _PROVIDERS.items():
        if env.get(key):
            return ModelSettings(name, env.get("AGENT_BASE_URL") or base_url, env[key], fallbacks)
    if not env.get("AGENT_BASE_URL"):
        raise ConfigurationError(
            f"AGENT_MODEL is {name!r} but nothing says where it is; set OPENROUTER_API_KEY, OPENAI_API_KEY or, for a "
            "server of your own, AGENT_BASE_URL."
        )
    return ModelSettings(name, env["AGENT_BASE_URL"], None, fallbacks)


def _microsoft(env: Mapping[str, str]) -> OAuthClient | None:
    """As the Microsoft identity platform has it: one folder of endpoints per directory, `common` for every account."""
    client = _client(env, "MICROSOFT")
    if client is None:
        return None
    login = _url(env, "MICROSOFT_LOGIN_URL", "https://login.microsoftonline.com")
    folder = f"{login}/{env.get('MICROSOFT_TENANT') or 'common'}/oauth2/v2.0"
    api = _url(env, "MICROSOFT_GRAPH_URL", "https://graph.microsoft.com/v1.0")
    return OAuthClient(*client, f"{folder}/authorize", f"{folder}/token", None, api or "")


def _google(env: Mapping[str, str]) -> OAuthClient | None:
    client = _client(env, "GOOGLE")
    if client is None:
        return None
    login = _url(env, "GOOGLE_LOGIN_URL", "https://accounts.google.com/o/oauth2/v2")
    oauth = _url(env, "GOOGLE_OAUTH_URL", "https://oauth2.googleapis.com")
    api = _url(env, "GOOGLE_CALENDAR_URL", "https://www.googleapis.com/calendar/v3")
    return OAuthClient(*client, f"{login}/auth", f"{oauth}/token", f"{oauth}/revoke", api or "")


def _client(env: Mapping[str, str], provider: str) -> tuple[str, str] | None:
    identifier, secret = env.get(f"{provider}_CLIENT_ID"), env.get(f"{provider}_CLIENT_SECRET")
    if bool(identifier) != bool(secret):
        raise ConfigurationError(f"Set both {provider}_CLIENT_ID and {provider}_CLIENT_SECRET, or none of them.")
    return (identifier, secret) if identifier and secret else None


def _url(env: Mapping[str, str], name: str, default: str) -> str | None:
    url = (env.get(name) or default).rstrip("/")
    if url and not re.match(r"https?://[^/]", url):
        raise ConfigurationError(f"{name} is no URL; give one such as https://example.com.")
    return url or None


def _mail(env: Mapping[str, str]) -> MailSettings | None:
    url, sender = env.get("TENANTRY_SMTP_URL"), env.get("TENANTRY_MAIL_FROM")
    if bool(url) != bool(sender):
        raise ConfigurationError("Set both TENANTRY_SMTP_URL and TENANTRY_MAIL_FROM, or none of them.")
    if not url or not sender:
        return None
    name, address = parseaddr(sender)
    if not re.fullmatch(r"[^\s@<>]+@[^\s@<>]+", address) or not sender.isprintable():
        raise ConfigurationError("TENANTRY_MAIL_FROM is no sender; give one such as Acme <bookings@acme.example>.")
    # The URL is not shown: it may hold a password.
    no_server = "TENANTRY_SMTP_URL is no mail server; give one such as smtp://user:password@mail.example.com:587."
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ConfigurationError(no_server) from None
    query = parse_qs(parts.query, keep_blank_values=True)
    if parts.scheme not in {"smtp", "smtps"} or not host or parts.path not in {"", "/"} or query not in ({}, _NO_TLS):
        raise ConfigurationError(no_server)
    if query and (parts.scheme == "smtps" or parts.username):
        raise ConfigurationError("TENANTRY_SMTP_URL: without TLS there is no smtps:// and no password.")
    tls = "tls" if parts.scheme == "smtps" else "off" if query else "starttls"
    return MailSettings(
        host=host,
        port=port or {"tls": 465, "starttls": 587, "off": 25}[tls],
        tls=tls,
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        sender_address=address,
        sender_name=name,
    )


def _livekit(env: Mapping[str, str]) -> LiveKitSettings | None:
    url, key, secret = (env.get(f"LIVEKIT_{name}") for name in ("URL", "API_KEY", "API_SECRET"))
    if not (url and key and secret):
        if url or key or secret:
            raise ConfigurationError("Set LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET, or none of them.")
        return None
    public = env.get("LIVEKIT_PUBLIC_URL") or url
    for name, address in (("LIVEKIT_URL", url), ("LIVEKIT_PUBLIC_URL", public)):
        if not re.match(r"wss?://[^/]", address):
            raise ConfigurationError(f"{name} is no WebSocket URL; give one such as wss://livekit.example.com.")
    return LiveKitSettings(url.rstrip("/"), public.rstrip("/"), key, secret)


def _worker_key(env: Mapping[str, str]) -> str | None:
    key = env.get("TENANTRY_WORKER_KEY")
    if key and not re.fullmatch(r"[!-~]{24,}", key):
        raise ConfigurationError(
            "TENANTRY_WORKER_KEY is too weak or not plain; give at least 24 characters of ASCII without spaces, such "
            "as `openssl rand -hex 24` makes."
        )
    return key or None


def _networks(env: Mapping[str, str], name: str) -> tuple[IPv4Network | IPv6Network, ...]:
    text = env.get(name, "").strip().lower()
    if text in {"", "0", "false", "no"}:
        return ()
    every = "0.0.0.0/0,::/0"
    parts = (every if text in {"1", "true", "yes"} else text).split(",")
    try:
        return tuple(ip_network(part.strip(), strict=False) for part in parts)
    except ValueError as error:
        raise ConfigurationError(
            f'{name}: {error}; give networks such as "10.0.0.0/8,127.0.0.1", or "true".'
        ) from error


def _metrics_token(env: Mapping[str, str]) -> str | None:
    token = env.get("TENANTRY_METRICS_TOKEN")
    if token and not re.fullmatch(r"[!-~]{16,}", token):
        raise ConfigurationError(
            "TENANTRY_METRICS_TOKEN is too weak or not plain; give at least 16 characters of ASCII without spaces, "
            "such as `openssl rand -hex 16` makes."
        )
    return token or None


def _traces_url(env: Mapping[str, str]) -> str | None:
    """As the OpenTelemetry specification has it: an endpoint for traces is taken as it is, one for all gets a path."""
    for name, path in (("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", ""), ("OTEL_EXPORTER_OTLP_ENDPOINT", "/v1/traces")):
        if url := env.get(name):
            if not re.match(r"https?://[^/]", url):
                raise ConfigurationError(f"{name} is no URL; give one such as http://localhost:4318.")
            return f"{url.rstrip('/')}{path}" if path else url
    return None
