"""The main process of a worker: it takes calls, and gives each a process of its own."""

import asyncio
import math
import signal
from contextlib import suppress
from functools import partial
from pathlib import Path

import structlog
from livekit.agents import AgentServer, JobExecutorType, JobRequest

from tenantry.channels.livekit_voice.speech.launching import speech_server
from tenantry.channels.livekit_voice.worker.broker import Broker
from tenantry.channels.livekit_voice.worker.events import listen
from tenantry.channels.livekit_voice.worker.forking import forget_secrets
from tenantry.channels.livekit_voice.worker.job import CallProcess, answer_job, prepare
from tenantry.channels.livekit_voice.worker.load import CpuLoad
from tenantry.channels.livekit_voice.worker.options import WorkerOptions
from tenantry.client.call_session import WorkerClient
from tenantry.client.errors import ApiError
from tenantry.domain.call import AGENT_NAME
from tenantry.domain.errors import LiveKitUnavailable, TicketInvalid

# LiveKit's server gives no calls where every worker says 0.7 or more, and it is we who say when we are full.
_FULL = 0.69
_LEAVE_S = 2.0  # for call processes that are told to end before their calls do

log = structlog.get_logger(__name__)


async def run_worker(options: WorkerOptions, home: Path) -> None:
    """Take calls until a signal; then finish those that are there. A second signal ends them too.

    `forking.start_forkserver` is called before. Raises SpeechUnavailable, and LiveKitUnavailable when LiveKit is away
    for minutes."""
    async with WorkerClient.open(options.server_url, options.worker_key) as client, speech_server(home) as speech:
        broker = Broker(client)
        async with broker.listening() as path:
            worker = Worker(options, client, broker, CallProcess(options.server_url, path, speech))
            await worker.run()


class Worker:
    """LiveKit's agent server with our own rule of which calls it takes."""

    def __init__(self, options: WorkerOptions, client: WorkerClient, broker: Broker, process: CallProcess) -> None:
        self._options = options
        self._client = client
        self._broker = broker
        self._cpu = CpuLoad()
        self._taking = 0
        self._server = AgentServer(
            job_executor_type=JobExecutorType.PROCESS,
            multiprocessing_context="forkserver",
            setup_fnc=prepare,
            load_fnc=self._load,
            # Its own rule guesses what a call costs and refuses calls that come at once; ours is in `_take`.
            load_threshold=math.inf,
            num_idle_processes=options.idle,
            job_memory_warn_mb=options.memory_warn_mb,
            job_memory_limit_mb=options.memory_limit_mb,
            drain_timeout=options.drain_s,
            shutdown_process_timeout=_LEAVE_S,
            ws_url=options.livekit_url,
            api_key=options.api_key,
            api_secret=options.api_secret,
            host=options.host,
            port=options.port,
        )
        # It puts its key and secret into the environment when it starts.
        listen(self._server, "worker_started", forget_secrets)
        listen(self._server, "worker_registered", self._registered)
        self._server.rtc_session(partial(answer_job, process), agent_name=AGENT_NAME, on_request=self._take)

    async def run(self) -> None:
        """See `run_worker`."""
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        measuring = asyncio.create_task(self._cpu.measure())
        running = asyncio.create_task(self._server.run())
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
            stop.clear()
            await self._drain(stop)
        except RuntimeError as error:
            raise LiveKitUnavailable from error
        finally:
            await self._server.aclose()
            await running
            for task in (measuring, stopping):
                task.cancel()
            await asyncio.gather(measuring, stopping, return_exceptions=True)

    async def _drain(self, stop: asyncio.Event) -> None:
        log.info("worker_draining", calls=len(self._server.active_jobs), at_most_s=self._options.drain_s)
        draining = asyncio.create_task(self._server.drain())
        again = asyncio.create_task(stop.wait())
        await asyncio.wait({draining, again}, return_when=asyncio.FIRST_COMPLETED)
        await self._broker.dismiss()
        for task in (draining, again):
            task.cancel()
            with suppress(TimeoutError, asyncio.CancelledError):
                await task

    async def _take(self, request: JobRequest) -> None:
        """Take the call, or leave it to another worker where it is not for us or we are full."""
        ticket, options = request.job.metadata, self._options
        calls = len(self._server.active_jobs) + self._taking
        if calls >= options.max_calls or self._cpu.now > options.load:
            log.warning("call_refused", calls=calls, cpu=round(self._cpu.now, 2))
            return await request.reject(terminate=False)
        self._taking += 1
        try:
            if await self._is_ours(request):
                self._broker.expect(ticket)
                try:
                    await request.accept()
                except BaseException:
                    self._broker.forget(ticket)
                    raise
        finally:
            self._taking -= 1
        return None

    async def _is_ours(self, request: JobRequest) -> bool:
        """Whether the ticket is of a call that we may take; where not, the job is refused."""
        try:
            kinds = (await self._client.read_ticket(request.job.metadata)).kinds
        except ApiError as error:
            log.warning("ticket_refused", code=error.code)
            await request.reject(terminate=error.code == TicketInvalid.code)
            return False
        if self._options.only and self._options.only.isdisjoint(kinds):
            await request.reject(terminate=False)
            return False
        return True

    def _load(self) -> float:
        """What LiveKit gives calls to workers by, the less loaded first."""
        calls = len(self._server.active_jobs) / self._options.max_calls
        return _FULL * min(max(self._cpu.now / self._options.load, calls), 1.0)

    def _registered(self, worker_id: str, _: object) -> None:
        log.info(
            "worker_registered",
            worker_id=worker_id,
            only=sorted(self._options.only),
            health=f"http://{self._options.host}:{self._server.worker_info.http_port}",
        )
