"""The callers of a server that is killed again and again: orders by a model, appointments by the form policy."""

import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp

from tenantry.domain.agent import (
    WEEKDAYS,
    AgentDefinition,
    AppointmentRules,
    Function,
    HttpCall,
    OpeningHours,
    Variable,
    VariableType,
)
from tenantry.llm.registry import FORM_POLICY
from tests.acceptance.order_service import WANDERS

ORDERS_IN_A_CONVERSATION = 6
_ALWAYS = (OpeningHours(days=WEEKDAYS, opens="00:00", closes="24:00"),)
_SLOT_MINUTES = 5


def ordering_agent(service_url: str, *, idempotent: bool, wanders: bool) -> AgentDefinition:
    """An agent whose model orders at the service."""
    kind = "idempotent" if idempotent else "effectful"
    look_up = HttpCall(f"{service_url}/look_up", "GET")
    order = HttpCall(f"{service_url}/order/{kind}", idempotent=idempotent)
    return AgentDefinition(
        name=f"Orders, {kind}",
        instructions=WANDERS if wanders else "",
        variables=(Variable("order_number", VariableType.TEXT),),
        functions=(
            Function("order", variables=("order_number",), http=order),
            Function("look_up", variables=("order_number",), http=look_up),
        ),
    )


BOOKING_AGENT = AgentDefinition(
    name="Appointments",
    business_hours=_ALWAYS,
    appointments=AppointmentRules(length_minutes=_SLOT_MINUTES),
    functions=(Function("set_appointment"),),
    model=FORM_POLICY,
)


@dataclass
class Said:
    """One message: what is sent for it, and the answer once there is one."""

    body: dict[str, Any]
    answer: dict[str, Any] | None = None

    @property
    def key(self) -> str:
        return self.body["idempotencyKey"]


@dataclass
class Line:
    """The way to the server; `open` while one is up, `over` when no new message is to be said."""

    url: str
    headers: dict[str, str]
    open: asyncio.Event = field(default_factory=asyncio.Event)
    over: bool = False

    async def send(self, session: aiohttp.ClientSession, said: Said) -> bool:
        """Send the message once; whether it was answered. A 4xx is a fault of the server's."""
        await self.open.wait()
        try:
            async with session.post(f"{self.url}/api/agent/reply", json=said.body, headers=self.headers) as response:
                assert response.status in {200, 503}, await response.text()
                if response.status == 200:
                    said.answer = await response.json()
        except aiohttp.ClientError:
            await asyncio.sleep(0.01)
        return said.answer is not None


@dataclass
class Caller:
    """Talks without an end. A patient one sends each message until it is answered; another leaves the conversation
    when the server goes away, and asks for its answers only when all is over."""

    name: str
    lines: Iterator[Said]
    patient: bool
    said: list[Said] = field(default_factory=list[Said])

    async def talk(self, line: Line, session: aiohttp.ClientSession) -> None:
        while not line.over:
            said = next(self.lines)
            self.said.append(said)
            answered = await line.send(session, said)
            while self.patient and not answered:
                answered = await line.send(session, said)
            if not answered:
                conversation = said.body["conversationId"]
                while (said := next(self.lines)).body["conversationId"] == conversation:
                    pass
                self.lines = itertools.chain([said], self.lines)

    async def ask_again(self, line: Line, session: aiohttp.ClientSession) -> None:
        """Get the answers that are missing."""
        for said in self.said:
            while said.answer is None:
                await line.send(session, said)


def _body(agent_id: str, name: str, conversation: int, key: str, message: str) -> Said:
    return Said(
        {
            "message": message,
            "agentId": agent_id,
            "leadId": name,
            "conversationId": f"{name}-{conversation}",
            "idempotencyKey": f"{name}-{key}",
        }
    )


def orders(agent_id: str, name: str, numbers: Iterator[int]) -> Iterator[Said]:
    """Orders without an end, each of another number."""
    for count in itertools.count():
        number = f"A{next(numbers):06}"
        yield _body(agent_id, name, count // ORDERS_IN_A_CONVERSATION, number, f"Please order {number} for me.")


def appointments(agent_id: str, name: str, slots: Iterator[int]) -> Iterator[Said]:
    """Conversations without an end that each book one appointment, at a time of its own."""
    first = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=2)
    for count in itertools.count():
        start = first + timedelta(minutes=_SLOT_MINUTES * next(slots))
        for step, message in enumerate(("Hello, I need an appointment", f"on {start:%-d %B %Y at %H:%M}")):
            yield _body(agent_id, name, count, f"{count}-{step}", message)
