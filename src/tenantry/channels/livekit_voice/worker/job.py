"""A call process: one job of LiveKit's, which is one call."""

import asyncio
import signal
from dataclasses import dataclass
from pathlib import Path

import structlog
from livekit.agents import AutoSubscribe, JobContext, JobProcess

from tenantry.channels.livekit_voice.worker.broker import BrokerGone, claimed_call
from tenantry.channels.livekit_voice.worker.call import LineBroken, run_call
from tenantry.channels.livekit_voice.worker.line import RoomLine
from tenantry.client.call_session import CallSession
from tenantry.client.errors import ApiError
from tenantry.domain.errors import ConfigurationError

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CallProcess:
    """All that a call process is told before it has a call: the server, the broker's socket, the speech server's."""

    server_url: str
    broker: Path
    speech: Path


def prepare(_: JobProcess) -> None:
    """Make a fresh process ready for a call, before there is one."""
    # A terminal sends its signals to every process; these end with their calls, or when the main process ends them.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    # LiveKit carries the standard library's log to the main process.
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, structlog.processors.JSONRenderer()],
        logger_factory=structlog.stdlib.LoggerFactory(),
    )


async def answer_job(process: CallProcess, context: JobContext) -> None:
    """Take the call of the job's ticket, and leave when it is over."""
    connecting = asyncio.create_task(
        context.connect(auto_subscribe=AutoSubscribe.AUDIO_ONLY, single_peer_connection=True)
    )
    try:
        async with claimed_call(process.broker, context.job.metadata) as claim:
            structlog.contextvars.bind_contextvars(call_id=str(claim.call_id), claim=claim.claim)
            async with CallSession.open(process.server_url, claim.call_token) as session:
                await run_call(claim, session, RoomLine(context, claim.participant, connecting), process.speech)
    except (ApiError, BrokerGone, ConfigurationError, LineBroken, OSError) as error:
        log.warning("call_left", error=type(error).__name__, code=getattr(error, "code", None))
    finally:
        await asyncio.gather(connecting, return_exceptions=True)
        context.shutdown()
