"""A call process: it waits for a call, speaks for the agent in it, and ends with it."""

import asyncio
import signal
import socket
from contextlib import suppress
from pathlib import Path

import msgspec

from tenantry.channels.livekit_voice.browser.host.page_line import PageLine
from tenantry.channels.livekit_voice.browser.pipe import Kind, Pipe
from tenantry.channels.livekit_voice.worker.call import run_call
from tenantry.client.call_session import CallSession, Claim


class Start(msgspec.Struct, frozen=True, rename="camel"):
    """What a call begins with."""

    server_url: str
    claim: Claim
    caller_there: bool


def serve(control: socket.socket, speech: str) -> None:
    """Wait until `control` brings a call's connection, and serve that call; end when the host has ended."""
    _, descriptors, _, _ = socket.recv_fds(control, 1, 1)
    control.close()
    if descriptors:
        asyncio.run(_serve(socket.socket(fileno=descriptors[0]), Path(speech)))


async def _serve(connected: socket.socket, speech: Path) -> None:
    connected.setblocking(False)
    pipe = await Pipe.of(connected)
    frame = await pipe.read()
    if frame is None or frame[0] is not Kind.START:
        return
    start = msgspec.json.decode(frame[1], type=Start)
    line = PageLine(pipe, caller_there=start.caller_there)
    listening = asyncio.create_task(line.listen())
    async with CallSession.open(start.server_url, start.claim.call_token) as session:
        reason = await run_call(start.claim, session, line, speech)
    listening.cancel()
    with suppress(asyncio.CancelledError):
        await listening
    pipe.send(Kind.END, reason.encode())
    await pipe.close()
