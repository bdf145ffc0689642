"""A call process: it waits for a call, speaks for the agent in it, and ends with it."""

import asyncio
import socket
from pathlib import Path

import msgspec
import structlog

from tenantry.channels.livekit_voice.browser.host.page_line import PageLine
from tenantry.channels.livekit_voice.browser.pipe import Kind, Pipe
from tenantry.channels.livekit_voice.worker.call import LineBroken, run_call
from tenantry.client.call_session import CallSession, Claim
from tenantry.client.errors import ApiError
from tenantry.domain.errors import ConfigurationError
from tenantry.logs import configure_logs

log = structlog.get_logger(__name__)


class Start(msgspec.Struct, frozen=True, rename="camel"):
    """What a call begins with."""

    server_url: str
    claim: Claim
    caller_there: bool


def serve(control: socket.socket, speech: Path) -> None:
    """Wait until `control` brings a call's connection, and serve that call; end when the host has ended."""
    configure_logs("info")
    _, descriptors, _, _ = socket.recv_fds(control, 1, 1)
    control.close()
    if descriptors:
        asyncio.run(_serve(socket.socket(fileno=descriptors[0]), speech))


async def _serve(connected: socket.socket, speech: Path) -> None:
    connected.setblocking(False)
    pipe = await Pipe.of(connected)
    frame = await pipe.read()
    if frame is None or frame[0] is not Kind.START:
        return
    start = msgspec.json.decode(frame[1], type=Start)
    structlog.contextvars.bind_contextvars(call_id=str(start.claim.call_id), claim=start.claim.claim)
    line = PageLine(pipe, caller_there=start.caller_there)
    tasks = [asyncio.create_task(work) for work in (line.read(), line.live())]
    try:
        async with CallSession.open(start.server_url, start.claim.call_token) as session:
            await run_call(start.claim, session, line, speech)
    except (ApiError, ConfigurationError, LineBroken, OSError) as error:
        log.warning("call_left", error=type(error).__name__, code=getattr(error, "code", None))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await pipe.close()
