"""What is said in a call, as the page shows it while it grows."""

from livekit.agents import UserInputTranscribedEvent
from livekit.agents.voice.io import TextOutput

from tenantry.channels.livekit_voice.browser.pipe import Pipe


class Captions(TextOutput):
    """Tells the page the words of both sides: the agent's by what the session gives it, as they are spoken."""

    def __init__(self, pipe: Pipe) -> None:
        super().__init__(label="page", next_in_chain=None)
        self._pipe = pipe
        self._agent = ""
        self._agents, self._callers = 1, 1  # which utterance of each side this is

    async def capture_text(self, text: str) -> None:
        """Some more of what the agent says."""
        self._agent += text
        self._tell("agent", self._agents, self._agent, final=False)

    def flush(self) -> None:
        """The agent said all of it, or was interrupted."""
        if self._agent.strip():
            self._tell("agent", self._agents, self._agent, final=True)
        self._agent = ""
        self._agents += 1

    def heard(self, event: UserInputTranscribedEvent) -> None:
        """What the caller said, as far as it is recognised."""
        if not event.transcript.strip():
            return
        self._tell("caller", self._callers, event.transcript, final=event.is_final)
        self._callers += event.is_final

    def _tell(self, role: str, number: int, text: str, *, final: bool) -> None:
        message = {"type": "transcript", "id": f"{role}-{number}", "role": role, "text": text.strip(), "final": final}
        self._pipe.tell(message)
