"""What the agent says on a call, and what of it was heard."""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from livekit.agents import AgentSession, SpeechCreatedEvent, llm
from livekit.agents.voice import SpeechHandle

from tenantry.channels.livekit_voice.worker.events import listen
from tenantry.channels.livekit_voice.worker.turn import Turn
from tenantry.domain.call import Utterance

# Set where a speech is made, and so known to all that is done for it.
_speech: ContextVar[SpeechHandle] = ContextVar("speech")


@dataclass(slots=True)
class Saying:
    """What is being said: the answer to a turn, or beside the turns, where it may still belong to one (`turn_id`).
    `delays` are of the caller's words that it answers, in seconds by LiveKit's names."""

    text: str = ""
    turn: Turn | None = None
    turn_id: UUID | None = None
    delays: Mapping[str, Any] = field(default_factory=dict[str, Any])


class Sayings:
    """Gives each speech of a session a place in the call, and tells of it once it is over."""

    def __init__(self, session: AgentSession[None], next_position: int, told: Callable[[Utterance], None]) -> None:
        self._position = next_position
        self._told = told
        self._sayings: dict[str, Saying] = {}
        listen(session, "speech_created", self._created)

    def of(self, speech: SpeechHandle, saying: Saying) -> Saying:
        """The speech says this."""
        self._sayings[speech.id] = saying
        return saying

    @staticmethod
    def current() -> SpeechHandle:
        """The speech that the running task works for."""
        return _speech.get()

    def _created(self, event: SpeechCreatedEvent) -> None:
        _speech.set(event.speech_handle)
        event.speech_handle.add_done_callback(self._over)

    def _over(self, speech: SpeechHandle) -> None:
        """It was heard to its end, in part, or not at all."""
        saying = self._sayings.pop(speech.id, None)
        if saying is None or not saying.text.strip():
            return
        messages = [item for item in speech.chat_items if isinstance(item, llm.ChatMessage)]
        heard = " ".join(filter(None, (message.text_content for message in messages))).strip()
        self._told(
            Utterance(
                position=self._position,
                turn_id=saying.turn.turn_id if saying.turn else saying.turn_id,
                said=saying.text.strip(),
                heard=heard,
                interrupted=speech.interrupted,
                timings=_timings(saying.delays, dict(messages[0].metrics) if messages else {}),
            )
        )
        self._position += 1


def _timings(delays: Mapping[str, Any], metrics: Mapping[str, Any]) -> dict[str, float]:
    """Milliseconds by stage, of LiveKit's seconds."""
    taken = {
        "end_of_turn": delays.get("end_of_turn_delay"),
        "recognition": delays.get("transcription_delay"),
        "first_text": metrics.get("llm_node_ttft"),
        "first_audio": metrics.get("tts_node_ttfb"),
        "voice_to_voice": metrics.get("e2e_latency"),
    }
    return {stage: seconds * 1000 for stage, seconds in taken.items() if seconds is not None}
