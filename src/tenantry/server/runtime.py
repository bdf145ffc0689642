"""All that one process needs to answer, opened and closed in order."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from tenantry.auth.budgets import BudgetLedger
from tenantry.auth.rate_limits import RateLimiter
from tenantry.calendars.choosing import Choosing
from tenantry.calendars.invitations import Invitations
from tenantry.calendars.registry import ConnectedProviders
from tenantry.calendars.remote import RemoteSides
from tenantry.calendars.settle import Settler
from tenantry.calendars.sync import Syncer
from tenantry.calendars.watching import watching_at
from tenantry.calendars.worker import calendar_jobs
from tenantry.channels.livekit_voice.browser.calls import BrowserCalls
from tenantry.channels.livekit_voice.channel import VoiceChannel
from tenantry.credentials.connection_store import ConnectionStore
from tenantry.credentials.connections import ConnectionKeeper
from tenantry.credentials.consents import Connecting
from tenantry.credentials.key_ring import load_key_ring
from tenantry.credentials.master_key import ContactHasher, load_master_key
from tenantry.credentials.oauth import OAuth
from tenantry.credentials.provider_keys import ProviderKeys
from tenantry.credentials.secret_store import SecretStore
from tenantry.credentials.vault import Vault
from tenantry.engine.resources import Resources
from tenantry.engine.turn import Engine
from tenantry.llm.registry import Models
from tenantry.outbound.addresses import NetworkPolicy
from tenantry.outbound.client import OutboundHttp
from tenantry.settings import Settings
from tenantry.storage.jobs import Handler
from tenantry.storage.opening import open_database
from tenantry.storage.tenancy import Database
from tenantry.telemetry.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Runtime:
    """An open installation."""

    settings: Settings
    db: Database
    resources: Resources
    engine: Engine
    jobs: Mapping[str, Handler]
    syncer: Syncer
    telemetry: Telemetry
    voice: VoiceChannel
    browser_calls: BrowserCalls


@asynccontextmanager
async def open_runtime(settings: Settings) -> AsyncGenerator[Runtime]:
    """Open the installation while inside. Raises ConfigurationError and DatabaseUnavailable."""
    master = load_master_key(settings.home, settings.master_key)
    async with open_database(settings.home, settings.database, master.password) as opened:
        vault, policy = Vault(load_key_ring(settings, master)), NetworkPolicy(settings.network.allowed)
        limiter = RateLimiter(settings.limits, settings.redis)
        models, outbound = Models(settings.model, ProviderKeys(vault), policy), OutboundHttp(policy)
        keeper, oauth = ConnectionKeeper(vault), OAuth(settings.calendars, outbound)
        connections = ConnectionStore(opened.db, keeper, oauth)
        voice = VoiceChannel.of(settings.voice, master)
        providers = ConnectedProviders(settings.calendars, outbound, connections)
        sides = RemoteSides(providers, mails=settings.mail is not None)
        try:
            resources = Resources(
                db=opened.db,
                hasher=ContactHasher(master),
                models=models,
                outbound=outbound,
                calendars=sides,
                vault=vault,
                secrets=SecretStore(opened.db, vault),
                connections=connections,
                connecting=Connecting(vault, keeper, oauth, providers.account_of),
                choosing=Choosing(opened.db, providers),
                limiter=limiter,
                budgets=BudgetLedger(opened.db),
                watching=watching_at(settings.public_url, opened.db, sides),
            )
            telemetry = Telemetry(settings.telemetry)
            engine = Engine(resources, sole=opened.sole, observers=(telemetry.observe,))
            _measure(telemetry, opened.db, engine)
            poll = timedelta(seconds=settings.calendars.poll_s)
            settler = Settler(opened.db, sides, poll=poll)
            syncer = Syncer(opened.db, sides, poll, resources.watching)
            handlers = calendar_jobs(settler, resources.choosing, Invitations.of(opened.db, settings))
            browser_calls = BrowserCalls(resources, settings.home, settings.voice.browser_calls)
            yield Runtime(settings, opened.db, resources, engine, handlers, syncer, telemetry, voice, browser_calls)
        finally:
            await connections.close()
            await asyncio.gather(models.close(), outbound.close(), limiter.close(), voice.close())


def _measure(telemetry: Telemetry, db: Database, engine: Engine) -> None:
    telemetry.gauge("tenantry_running_turns", "Turns in hand, running or waiting for their turn.", engine.leases.count)
    telemetry.gauge("tenantry_pool_connections_in_use", "Database connections in use.", db.connections_in_use)
