"""The application: every registry mounted, every error answered."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi_swagger import patch_fastapi

from tenantry.api.registry import ROUTERS as API_ROUTERS
from tenantry.calendars.worker import sweep_unsettled, watch_calendars
from tenantry.channels.livekit_voice.watcher import Watcher
from tenantry.channels.registry import ROUTERS as CHANNEL_ROUTERS
from tenantry.engine.recovery import keep_leases, watch
from tenantry.lifecycle.sweep import sweep_for_ever
from tenantry.server import errors
from tenantry.server.body_limit import BodyLimit
from tenantry.server.metrics import router as metrics
from tenantry.server.openapi import DescribedApp
from tenantry.server.probes import router as probes
from tenantry.server.runtime import Runtime
from tenantry.storage.jobs import JobRunner


def create_app(runtime: Runtime) -> FastAPI:
    """The ASGI application on an open runtime."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        async with runtime.telemetry.running():
            tasks = [asyncio.create_task(work(runtime.engine)) for work in (watch, keep_leases)]
            tasks.append(asyncio.create_task(sweep_for_ever(runtime.db)))
            runner = JobRunner(runtime.db, runtime.jobs)
            tasks += [
                asyncio.create_task(runner.run_for_ever()),
                asyncio.create_task(watch_calendars(runtime.db, runtime.syncer)),
                asyncio.create_task(sweep_unsettled(runtime.db)),
                asyncio.create_task(Watcher(runtime.db, runtime.voice).run_for_ever()),
            ]
            try:
                yield
            finally:
                await asyncio.gather(runtime.engine.close(), runner.stop())
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    app = DescribedApp(
        title="Tenantry",
        summary="The runtime for multi-tenant AI agents.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
    )
    app.state.runtime = runtime
    app.add_middleware(BodyLimit)
    errors.install(app)
    for router in (*CHANNEL_ROUTERS, *API_ROUTERS, probes, metrics):
        app.include_router(router)
    # The page's scripts come from the package, not from the internet.
    patch_fastapi(app, redirect_from_root_to_docs=False)
    return app
