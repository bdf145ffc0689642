"""The interface of every tool, and for whom it runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from tenantry.calendars.remote import RemoteSides
from tenantry.credentials.booking_references import BookingReferences
from tenantry.domain.agent import Agent, Function
from tenantry.domain.tools import ToolResult, ToolSpec
from tenantry.outbound.client import OutboundHttp
from tenantry.storage.tenancy import Database


class Secrets(Protocol):
    """The sealed secrets that calls of one conversation's owner may be sent with."""

    async def reveal(self, name: str) -> str | None:
        """The secret of that name, the owner's own before the tenant's; None when there is none."""
        ...


class NoSecrets:
    """An owner without secrets."""

    async def reveal(self, name: str) -> str | None:
        """None, whatever the name."""
        return None


@dataclass(frozen=True, slots=True)
class ToolContext:
    """For whom and in which step of which turn a tool runs; all of it comes from the conversation, nothing from the
    model. `step` is the same when the turn is run again; `now` is aware; `actor` is `kind:id` for the audit log;
    `references` gives bookings their codes; `contact_time_zone` is the contact's (IANA) where it is known; `repeated`
    tells that an earlier attempt of the turn began the same call, and nobody knows how far it came."""

    db: Database
    outbound: OutboundHttp
    calendars: RemoteSides
    agent: Agent
    conversation_id: UUID
    owner_member_id: UUID | None
    contact_id: UUID
    turn_id: UUID
    step: int
    now: datetime
    actor: str
    references: BookingReferences
    contact_time_zone: str | None = None
    repeated: bool = False
    secrets: Secrets = field(default_factory=NoSecrets)

    @property
    def tenant_id(self) -> UUID:
        """The tenant of the agent."""
        return self.agent.tenant_id

    @property
    def effect_key(self) -> str:
        """The name of the one effect that the call may have, the same in every attempt of the turn."""
        return f"{self.turn_id}:{self.step}"

    @property
    def user_id(self) -> str:
        """The owner of the conversation as models name it: the member or else the tenant."""
        return str(self.owner_member_id or self.tenant_id)

    @property
    def bound(self) -> dict[str, str]:
        """Whom every service is told that it is called for. What a model passed as user_id was only compared."""
        return {
            "user_id": self.user_id,
            "tenant": str(self.tenant_id),
            "conversation_id": str(self.conversation_id),
        }


class Tool(Protocol):
    """One thing an agent can be allowed to do, under the name of a function."""

    @property
    def name(self) -> str:
        """The name of the functions that it carries out."""
        ...

    @property
    def reads_only(self) -> bool:
        """Whether calling it changes nothing anywhere."""
        ...

    def spec(self, agent: Agent, function: Function) -> ToolSpec:
        """The tool as a model is shown it for this agent."""
        ...

    async def run(self, context: ToolContext, arguments: Mapping[str, Any]) -> ToolResult:
        """Do it. The arguments hold to the parameters of `spec`."""
        ...


def invalid(message: str) -> ToolResult:
    """The answer to arguments that cannot be used; the message says what to correct."""
    return ToolResult({"status": "invalid", "reason": "invalid_arguments", "message": message})
