"""A call page as the line of a call."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
from livekit.agents import Agent, AgentSession, AgentStateChangedEvent
from livekit.agents.voice.transcription import TranscriptSynchronizer

from tenantry.channels.livekit_voice.browser.host.audio import CallerAudio, SpokenAudio
from tenantry.channels.livekit_voice.browser.host.captions import Captions
from tenantry.channels.livekit_voice.browser.pipe import Kind, Pipe
from tenantry.channels.livekit_voice.worker.line import SUMMARY

_STATES = {"idle": "listening", "listening": "listening", "thinking": "thinking", "speaking": "speaking"}


class PageLine:
    """The page at the other end of a pipe, which may come and go while the pipe stays."""

    def __init__(self, pipe: Pipe, *, caller_there: bool) -> None:
        self.changed = asyncio.Event()
        self.broken = False
        self.caller_there = caller_there
        self._pipe = pipe
        self._hears = CallerAudio()
        self._speaks = SpokenAudio(pipe)
        self._captions = Captions(pipe)
        self._speaks.caller_there(caller_there)

    async def start(self, session: AgentSession[None], agent: Agent) -> None:
        """Start the session with the page's sound, and tell the page how it goes."""
        together = TranscriptSynchronizer(next_in_chain_audio=self._speaks, next_in_chain_text=self._captions)
        session.input.audio = self._hears
        session.output.audio = together.audio_output
        session.output.transcription = together.text_output
        session.on("agent_state_changed", self._state_changed)
        session.on("user_input_transcribed", self._captions.heard)
        await session.start(agent, record=False)

    async def send(self, topic: str, message: Mapping[str, Any]) -> None:
        """Tell the page the conversation's summary."""
        if topic == SUMMARY:
            self._pipe.tell({**message, "type": "summary"})

    async def listen(self) -> None:
        """Take what the page says until the pipe ends, as it does with the server."""
        while (frame := await self._pipe.read()) is not None:
            kind, data = frame
            match kind:
                case Kind.AUDIO:
                    self._hears.push(data)
                case Kind.TEXT:
                    self._take(msgspec.json.decode(data, type=dict[str, Any]))
                case Kind.CALLER:
                    self._caller(there=data == b"1")
                case _:
                    break
        self._hears.end()
        self.broken = True
        self.changed.set()

    def _take(self, message: dict[str, Any]) -> None:
        if message["type"] in ("played", "cleared"):
            self._speaks.answered(message)

    def _caller(self, *, there: bool) -> None:
        if there != self.caller_there:
            self.caller_there = there
            self._speaks.caller_there(there)
            self.changed.set()

    def _state_changed(self, event: AgentStateChangedEvent) -> None:
        if event.new_state in _STATES:
            self._pipe.tell({"type": "state", "state": _STATES[event.new_state]})
