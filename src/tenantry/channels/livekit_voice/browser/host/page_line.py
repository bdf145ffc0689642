"""A call page as the line of a call."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
from livekit.agents import Agent, AgentSession, AgentStateChangedEvent

from tenantry.channels.livekit_voice.browser.host.audio import CallerAudio, SpokenAudio
from tenantry.channels.livekit_voice.browser.host.captions import Captions
from tenantry.channels.livekit_voice.browser.pipe import ALIVE_S, Kind, Pipe
from tenantry.channels.livekit_voice.worker.events import listen
from tenantry.channels.livekit_voice.worker.line import SUMMARY, AudioLine

_STATES = {"idle": "listening", "listening": "listening", "thinking": "thinking", "speaking": "speaking"}


class PageLine(AudioLine):
    """The page at the other end of a pipe, which may come and go while the pipe stays."""

    def __init__(self, pipe: Pipe, *, caller_there: bool) -> None:
        self._pipe = pipe
        self._from_page = CallerAudio()
        self._to_page = SpokenAudio(pipe)
        self._captions = Captions(pipe)
        super().__init__(self._from_page, self._to_page, self._captions, self._send)
        self.caller(there=caller_there)

    async def start(self, session: AgentSession[None], agent: Agent) -> None:
        """Start the session with the page's sound, and tell the page how it goes."""
        listen(session, "agent_state_changed", self._state_changed)
        listen(session, "user_input_transcribed", self._captions.heard)
        await super().start(session, agent)

    def caller(self, *, there: bool) -> None:
        """The page came or went; while it is away the agent waits."""
        self._to_page.caller_there(there)
        super().caller(there=there)

    async def live(self) -> None:
        """Tell that this process is not stuck, for ever."""
        while True:
            self._pipe.send(Kind.ALIVE)
            await asyncio.sleep(ALIVE_S)

    async def read(self) -> None:
        """Take what the page says until the pipe ends, as it does with the server."""
        while (frame := await self._pipe.read()) is not None:
            kind, data = frame
            match kind:
                case Kind.AUDIO:
                    self._from_page.push(data)
                case Kind.TEXT:
                    self._to_page.answered(msgspec.json.decode(data, type=dict[str, Any]))
                case Kind.CALLER:
                    self.caller(there=data == b"1")
                case _:
                    break
        self._from_page.end()
        self.breaks()

    async def _send(self, topic: str, message: Mapping[str, Any]) -> None:
        if topic == SUMMARY:
            self._pipe.tell({**message, "type": "summary"})

    def _state_changed(self, event: AgentStateChangedEvent) -> None:
        if event.new_state in _STATES:
            self._pipe.tell({"type": "state", "state": _STATES[event.new_state]})
