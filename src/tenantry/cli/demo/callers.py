"""A caller who wants an appointment: says what is asked for until it is booked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tenantry.client import TenantryClient
from tenantry.client.replies import Reply

MAX_TURNS = 20


@dataclass(slots=True)
class Caller:
    """One side of a conversation with one agent. `answers` has what to say for each missing variable, `when_optional`
    what to say to a question that may be skipped."""

    name: str
    agent_id: UUID
    lead_id: str
    opening: str
    answers: dict[str, str]
    wanted_time: str
    when_optional: str = "Skip"
    transcript: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    booking: Mapping[str, Any] | None = None

    async def call(self, client: TenantryClient, changed: Callable[[], None]) -> None:
        """Talk until the appointment is made; `changed` is called whenever the transcript grew."""
        says = self.opening
        conversation_id: UUID | None = None
        for _ in range(MAX_TURNS):
            self.transcript.append((self.name, says))
            changed()
            answer = await client.replies.send(
                says, agent_id=self.agent_id, lead_id=self.lead_id, conversation_id=conversation_id
            )
            conversation_id = answer.conversation_id
            self.transcript.append(("Agent", answer.reply))
            changed()
            for call in answer.tool_calls:
                if call.output.get("status") == "booked":
                    self.booking = call.output
                    return
            says = self._next(answer)

    def _next(self, answer: Reply) -> str:
        offered = answer.quick_replies
        if any(choice.lower().startswith("yes") for choice in offered):
            return "Yes, that is right"
        if any(choice.lower() == "skip" for choice in offered):
            return self.when_optional
        for name, said in list(self.answers.items()):
            if name in answer.missing and name not in answer.variables:
                return said
        if self.wanted_time:
            said, self.wanted_time = self.wanted_time, ""
            return said
        return offered[0] if offered else "Which times are free this week?"
