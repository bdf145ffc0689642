"""One call between its page and its process, each of which may be lost and come again."""

import asyncio
import hmac
import secrets
from collections import deque
from typing import Literal
from uuid import UUID

import msgspec
import structlog

from tenantry.channels.livekit_voice.browser.hosting import CallHost
from tenantry.channels.livekit_voice.browser.page_socket import GOING_AWAY, SUPERSEDED, PageSocket
from tenantry.channels.livekit_voice.browser.pipe import ALIVE_S, Frame, Kind, Pipe
from tenantry.channels.livekit_voice.claiming import claim
from tenantry.credentials.call_tickets import Ticket
from tenantry.domain.call import EndReason
from tenantry.domain.errors import TenantryError, TicketInvalid
from tenantry.engine.resources import Resources
from tenantry.storage.repositories import calls

_DEATHS, _WITHIN_S = 4, 60.0  # a call whose processes die as often is given up
_STUCK_S = 4 * ALIVE_S
_STATE = '{"type":"state"'  # as pipes write it
_KEPT = 200  # messages for a page that is away

log = structlog.get_logger(__name__)


class _Said(msgspec.Struct, frozen=True):
    type: Literal["hangup", "mute", "played", "cleared"]


class Bridge:
    """Passes on what the page of a call and its process say, and finds another process when that one dies."""

    def __init__(self, resources: Resources, host: CallHost, tenant_id: UUID, call_id: UUID, server_url: str) -> None:
        """`server_url` is where the call process reaches this server."""
        self.tenant_id = tenant_id
        self.call_id = call_id
        self._resume_token = secrets.token_urlsafe(32)
        self._resources = resources
        self._host = host
        self._server_url = server_url
        self._page: PageSocket | None = None
        self._pipe: Pipe | None = None
        self._left = False
        self._state: str | None = None
        self._kept: deque[str] = deque(maxlen=_KEPT)

    async def run(self) -> None:
        """Serve the call until it is over, and tell the page why it is."""
        try:
            reason = await self._speak()
        except asyncio.CancelledError:
            # The server ends.
            await self._finish(EndReason.AGENT_LOST)
            raise
        except Exception as error:
            log.exception("browser_call_failed", call_id=str(self.call_id))
            await self._fail(error if isinstance(error, TenantryError) else TenantryError())
            return
        await self._finish(reason)

    def resumed_by(self, token: str) -> bool:
        """Whether the page of this call was given that token."""
        return hmac.compare_digest(self._resume_token.encode(), token.encode())

    async def attend(self, page: PageSocket) -> None:
        """Carry what this page sends until its socket ends; whichever was there before is superseded."""
        before, self._page = self._page, page
        try:
            if before is not None:
                await before.refuse("superseded", "The call goes on in another window.", SUPERSEDED)
            await self._welcome(page)
            async for data in page.frames():
                if self._page is not page:
                    return
                await self._pass_on(data)
        finally:
            if self._page is page:
                self._page = None
                self._tell_caller()

    async def _welcome(self, page: PageSocket) -> None:
        """Tell a page what it has missed."""
        ready = {"type": "ready", "callId": str(self.call_id), "resumeToken": self._resume_token}
        await page.tell(ready | {"starting": not self._host.ready})
        if self._state is not None:
            await page.send(self._state)
        while self._kept and self._page is page:
            await page.send(self._kept.popleft())
        self._tell_caller()

    async def _pass_on(self, data: bytes | str) -> None:
        if isinstance(data, str):
            try:
                said = msgspec.json.decode(data, type=_Said)
            except msgspec.DecodeError:
                return
            if said.type == "hangup":
                await self._hang_up()
        if self._pipe is not None:
            self._pipe.send(*((Kind.TEXT, data.encode()) if isinstance(data, str) else (Kind.AUDIO, data)))
            await self._pipe.drain()

    async def _hang_up(self) -> None:
        """The caller is gone for good: the process learns it by its next beat."""
        self._left = True
        async with self._resources.db.tenant(self.tenant_id) as tx:
            await calls.ask_to_hang_up(tx, self.call_id, EndReason.CALLER_LEFT)

    def _tell_caller(self) -> None:
        if self._pipe is not None:
            self._pipe.send(Kind.CALLER, b"0" if self._page is None else b"1")

    async def _speak(self) -> EndReason:
        """Find a process for the call, as often as one dies; why the call is over."""
        clock = asyncio.get_running_loop().time
        deaths: deque[float] = deque(maxlen=_DEATHS)
        while True:
            try:
                pipe = await self._begin()
            except TicketInvalid:
                return await self._end_reason() or EndReason.AGENT_LOST
            try:
                await self._carry(pipe)
            finally:
                self._pipe = None
                pipe.abort()
            if (reason := await self._end_reason()) is not None:
                return reason
            if self._left:
                return EndReason.CALLER_LEFT
            log.warning("call_process_lost", call_id=str(self.call_id))
            deaths.append(clock())
            if len(deaths) == _DEATHS and deaths[-1] - deaths[0] < _WITHIN_S:
                return EndReason.AGENT_LOST

    async def _begin(self) -> Pipe:
        """A pipe to a process that speaks for the call from now on. Raises TicketInvalid when the call is over."""
        pipe = await self._host.connect()
        try:
            async with self._resources.db.tenant(self.tenant_id) as tx:
                call = await calls.get(tx, self.call_id, sees_only=None)
            if call is None:
                raise TicketInvalid
            claimed = await claim(self._resources, Ticket(self.tenant_id, self.call_id, call.dispatches))
            start = {
                "serverUrl": self._server_url,
                "claim": msgspec.Raw(claimed.model_dump_json(by_alias=True).encode()),
                "callerThere": self._page is not None,
            }
            pipe.send(Kind.START, msgspec.json.encode(start))
        except BaseException:
            pipe.abort()
            raise
        self._pipe = pipe
        self._tell_caller()
        return pipe

    async def _carry(self, pipe: Pipe) -> None:
        """Pass on what the process says until it is done, or dead."""
        while (frame := await _read(pipe)) is not None:
            kind, data = frame
            if kind is Kind.AUDIO and self._page is not None:
                await self._page.send(data)
            elif kind is Kind.TEXT:
                await self._tell_page(data.decode())

    async def _tell_page(self, text: str) -> None:
        if text.startswith(_STATE):
            self._state = text
        if self._page is not None:
            await self._page.send(text)
        else:
            self._kept.append(text)

    async def _end_reason(self) -> EndReason | None:
        """Why the call is over; None while it is not."""
        async with self._resources.db.tenant(self.tenant_id) as tx:
            call = await calls.get(tx, self.call_id, sees_only=None)
        return call.end_reason if call else EndReason.AGENT_LOST

    async def _finish(self, reason: EndReason) -> None:
        async with self._resources.db.tenant(self.tenant_id) as tx:
            await calls.end(tx, self.call_id, reason)
        if (page := self._page) is not None:
            await page.tell({"type": "ended", "reason": str(reason)})
            await page.close()

    async def _fail(self, error: TenantryError) -> None:
        async with self._resources.db.tenant(self.tenant_id) as tx:
            await calls.end(tx, self.call_id, EndReason.ERROR)
        if (page := self._page) is not None:
            await page.refuse(error.code, error.detail, GOING_AWAY)


async def _read(pipe: Pipe) -> Frame | None:
    """What the process says next; None when it is dead, or stuck."""
    try:
        async with asyncio.timeout(_STUCK_S):
            return await pipe.read()
    except TimeoutError:
        return None
