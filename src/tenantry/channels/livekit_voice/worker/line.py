"""What a call runs over: a LiveKit room, or whatever else carries sound both ways."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from livekit import rtc
from livekit.agents import Agent, AgentSession, JobContext
from livekit.agents.voice.io import AudioInput, AudioOutput, TextOutput
from livekit.agents.voice.room_io import AudioInputOptions, RoomOptions
from livekit.agents.voice.transcription import TranscriptSynchronizer

from tenantry.channels.livekit_voice.worker.events import listen

SUMMARY = "conversation-summary"


class Line(Protocol):
    """One caller's line. `changed` is set whenever the caller came or went, or the line broke (`broken`)."""

    changed: asyncio.Event

    @property
    def broken(self) -> bool:
        """Whether nothing can go over it any more."""
        ...

    @property
    def caller_there(self) -> bool:
        """Whether the caller is on it."""
        ...

    async def start(self, session: AgentSession[None], agent: Agent) -> None:
        """Start the session with its sound and transcripts on this line."""
        ...

    def send(self, topic: str, message: Mapping[str, Any], /) -> Awaitable[None]:
        """A data message to the caller's page; lost where the line is broken."""
        ...


class RoomLine:
    """A LiveKit room, in which only the caller is listened to."""

    def __init__(self, job: JobContext, participant: str, connecting: Awaitable[None]) -> None:
        """`participant` is the caller's identity; once `connecting` is done, the job is in its room."""
        self._connecting = connecting
        self._room = job.room
        self._participant = participant
        self.changed = asyncio.Event()
        self.broken = False
        listen(self._room, "participant_connected", self._moved)
        listen(self._room, "participant_disconnected", self._moved)
        listen(self._room, "disconnected", self._broke)

    @property
    def caller_there(self) -> bool:
        return self._participant in self._room.remote_participants

    async def start(self, session: AgentSession[None], agent: Agent) -> None:
        options = RoomOptions(
            participant_identity=self._participant,
            # As the engines and the voice activity detector take it: resampled once, and no louder than it is, which
            # browsers see to.
            audio_input=AudioInputOptions(sample_rate=16_000, auto_gain_control=False),
            text_input=False,
            # A caller whose connection dropped comes back.
            close_on_disconnect=False,
        )
        await self._connecting
        # Without a session host: it would let whoever is in the room drive the session.
        await session.start(  # pyright: ignore[reportUnknownMemberType]
            agent, room=self._room, room_options=options, session_host=False, record=False
        )

    async def send(self, topic: str, message: Mapping[str, Any]) -> None:
        if self._room.isconnected():
            await self._room.local_participant.publish_data(json.dumps(message), topic=topic)

    def _moved(self, _: rtc.RemoteParticipant) -> None:
        self.changed.set()

    def _broke(self, _: object) -> None:
        self.broken = True
        self.changed.set()


class AudioLine:
    """A line made of LiveKit's own parts: what hears, what speaks, and what writes down what the agent says as it is
    spoken. Whoever has the connection says who is there."""

    def __init__(
        self,
        hears: AudioInput,
        speaks: AudioOutput,
        writes: TextOutput | None,
        send: Callable[[str, Mapping[str, Any]], Awaitable[None]],
    ) -> None:
        """`send` carries a data message: its topic, and what it says."""
        self._hears = hears
        self._speaks = speaks
        self._writes = writes
        self.send = send
        self.changed = asyncio.Event()
        self.caller_there = True
        self.broken = False

    async def start(self, session: AgentSession[None], agent: Agent) -> None:
        # It also says what of a text was spoken when the caller interrupts.
        synchronized = TranscriptSynchronizer(next_in_chain_audio=self._speaks, next_in_chain_text=self._writes)
        session.input.audio = self._hears
        session.output.audio = synchronized.audio_output
        session.output.transcription = synchronized.text_output
        await session.start(agent, record=False)  # pyright: ignore[reportUnknownMemberType]

    def caller(self, *, there: bool) -> None:
        """The caller came or went."""
        self.caller_there = there
        self.changed.set()

    def breaks(self) -> None:
        """Nothing goes over it any more."""
        self.broken = True
        self.changed.set()
