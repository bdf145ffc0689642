"""What a server on this machine needs, looked at one after the other."""

import sys
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from zoneinfo import ZoneInfo

import aiohttp
from yarl import URL

from tenantry.domain.connection import Health
from tenantry.domain.errors import TenantryError
from tenantry.domain.tenant import Tenant
from tenantry.llm.registry import FORM_POLICY
from tenantry.server.runtime import open_runtime
from tenantry.server.serving import bind
from tenantry.settings import ModelSettings, Settings, TelemetrySettings
from tenantry.storage.repositories import connections, outbox, tenants
from tenantry.storage.tenancy import Database

_SHORT = aiohttp.ClientTimeout(total=5)
# How many tenants are named of those in which something is wrong.
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. What is not good is to be mended, since it keeps Tenantry from running, or has only
    to be known."""

    name: str
    good: bool
    found: str
    needed: bool = True

    @property
    def state(self) -> str:
        """As it is shown."""
        if self.good:
            return "[green]ok[/]"
        return "[red]mend this[/]" if self.needed else "[yellow]know this[/]"


async def check(settings: Settings) -> AsyncGenerator[Check]:
    """Each as soon as it is known."""
    yield Check("Python", sys.version_info >= (3, 11), sys.version.split()[0])
    yield Check("Tenantry", True, version("tenantry"))
    zone = ZoneInfo("Europe/London").key
    yield Check("time zones", True, f"tzdata {version('tzdata')} ({zone} is known)")
    yield await _model(settings.model)
    for each in _telemetry(settings.telemetry):
        yield each
    yield await _port(settings)
    began = time.perf_counter()
    try:
        async with open_runtime(settings) as runtime:
            took = time.perf_counter() - began
            where = "the server of DATABASE_URL" if settings.database.url else f"embedded in {settings.home}"
            yield Check("database", True, f"{where}, open in {took:.2f} s, schema up to date")
            async with runtime.db.operator() as tx:
                there = await tenants.list_all(tx)
            yield Check("tenants", True, ", ".join(tenant.slug for tenant in there) or "none yet")
            yield await _connections(runtime.db, there)
            yield await _outbox(runtime.db)
            yield _redis(await runtime.resources.limiter.redis_reachable())
    except TenantryError as error:
        yield Check("database", False, error.detail)


async def _model(settings: ModelSettings | None) -> Check:
    """Whether the installation's provider answers for its list of models. It is nowhere needed: the form policy is."""
    if settings is None:
        return Check("models", True, f"{FORM_POLICY}, which needs no key and no network")
    chain = ", ".join((*settings.chain, FORM_POLICY))
    headers = {"Authorization": f"Bearer {settings.api_key}"} if settings.api_key else {}
    try:
        async with (
            aiohttp.ClientSession(timeout=_SHORT, headers=headers) as session,
            session.get(f"{settings.base_url.rstrip('/')}/models") as response,
        ):
            status = response.status
    except (aiohttp.ClientError, ValueError, TimeoutError) as error:
        problem = f"cannot be reached ({type(error).__name__})"
    else:
        problem = "refuses the key" if status in {401, 403} else f"answers {status}" if status >= 500 else ""
    told = f"{_without_password(settings.base_url)} {problem or 'answers'}: {chain}"
    return Check("models", not problem, told, needed=False)


async def _connections(db: Database, there: Sequence[Tenant]) -> Check:
    """Whether any owner has to sign in to their calendar again."""
    number = 0
    unwell: list[str] = []
    for tenant in there:
        async with db.tenant(tenant.id) as tx:
            by_health = await connections.count_by_health(tx)
        number += sum(by_health.values())
        told = ", ".join(f"{by_health[health]} {health}" for health in Health if health in by_health)
        if by_health.keys() - {Health.OK}:
            unwell.append(f"{tenant.slug} has {told}")
    if not unwell:
        return Check("connections", True, f"{number}, all well" if number else "none yet")
    more = f" and {len(unwell) - _SHOWN} more tenants" if len(unwell) > _SHOWN else ""
    told = f"{'; '.join(unwell[:_SHOWN])}{more}; `tenantry connection list --tenant T` says whose and why"
    return Check("connections", False, told, needed=False)


async def _outbox(db: Database) -> Check:
    """Whether any booking waits for its owner's calendar."""
    async with db.operator() as tx:
        waiting = await outbox.count_unsettled(tx)
    told = f"{waiting} wait for a calendar at a provider" if waiting else "none waits for a calendar at a provider"
    return Check("bookings", not waiting, told, needed=False)


def _redis(reachable: bool | None) -> Check:
    if reachable is None:
        return Check("Redis", True, "not set up (REDIS_URL); each process counts messages for itself")
    told = "answers; all processes count messages together" if reachable else "is away; each process counts for itself"
    return Check("Redis", reachable, told, needed=False)


def _telemetry(settings: TelemetrySettings) -> Iterator[Check]:
    off = "off; TENANTRY_METRICS_TOKEN opens GET /metrics"
    yield Check("metrics", True, "GET /metrics opens with the token" if settings.metrics_token else off)
    off = "off; OTEL_EXPORTER_OTLP_ENDPOINT says where they go"
    yield Check("traces", True, f"to {_without_password(settings.traces_url)}" if settings.traces_url else off)


def _without_password(url: str) -> str:
    try:
        return str(URL(url).with_user(None).with_query(None))
    except ValueError:
        return "an address that is no URL"


async def _port(settings: Settings) -> Check:
    where = f"{settings.http.host}:{settings.http.port}"
    try:
        bind(settings.http.host, settings.http.port).close()
    except TenantryError as error:
        running = await _answers(f"http://{where}/healthz")
        return Check("address", running, f"Tenantry answers on {where}" if running else error.detail)
    return Check("address", True, f"{where} is free")


async def _answers(url: str) -> bool:
    try:
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return await response.json() == {"status": "ok"}
    except (aiohttp.ClientError, ValueError):
        return False
