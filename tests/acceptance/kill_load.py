"""The callers of a server that is killed again and again: orders by a model, appointments by the form policy."""

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import aclosing
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
    McpCall,
    OpeningHours,
    Variable,
    VariableType,
)
from tenantry.llm.registry import FORM_POLICY
from tests.acceptance.order_service import REMEMBERS, SLOWLY, WANDERS, OrderService
from tests.integration.model_talk import Sse, events

ORDERS_IN_A_CONVERSATION = 6
_ALWAYS = (OpeningHours(days=WEEKDAYS, opens="00:00", closes="24:00"),)
_SLOT_MINUTES = 5


@dataclass(frozen=True)
class Kind:
    """How an agent orders, what its model is told besides, and whether its callers have its answers streamed."""

    idempotent: bool = False
    mcp: bool = False
    told: str = ""
    streams: bool = False

    def agent(self, service: OrderService) -> AgentDefinition:
        """An agent whose model orders at the service."""
        name = "idempotent" if self.idempotent else "effectful"
        over_mcp = McpCall(service.mcp_url, name, idempotent=self.idempotent)
        over_http = HttpCall(f"{service.url}/order/{name}", idempotent=self.idempotent)
        way = {"mcp": over_mcp} if self.mcp else {"http": over_http}
        look_up = HttpCall(f"{service.url}/look_up", "GET")
        return AgentDefinition(
            name=f"Orders, {name}",
            instructions=self.told,
            variables=(Variable("order_number", VariableType.TEXT),),
            functions=(
                Function("order", variables=("order_number",), **way),
                Function("look_up", variables=("order_number",), http=look_up),
                Function("memory_append"),
            ),
        )


KINDS = (
    Kind(idempotent=True),
    Kind(idempotent=True, told=WANDERS),
    Kind(idempotent=True, mcp=True),
    Kind(told=WANDERS),
    Kind(told=REMEMBERS),
    Kind(mcp=True, told=REMEMBERS),
    Kind(told=SLOWLY, streams=True),
    Kind(idempotent=True, told=SLOWLY, streams=True),
)


BOOKING_AGENT = AgentDefinition(
    name="Appointments",
    business_hours=_ALWAYS,
    appointments=AppointmentRules(length_minutes=_SLOT_MINUTES),
    functions=(Function("set_appointment"),),
    model=FORM_POLICY,
)


@dataclass
class Heard:
    """What a caller heard of one streamed answer: `text` since it was last begun, `cursor` where they stand. `cut`
    counts how often the stream was lost in the middle of the words."""

    turn_id: str
    conversation_id: str
    cursor: str = ""
    text: str = ""
    cut: int = 0
    restarts: int = 0
    whole: bool = False

    def take(self, event: Sse) -> None:
        self.cursor = event.id
        if event.type == "error" or event.data.get("turn_id", self.turn_id) != self.turn_id:
            return
        if event.type == "turn.restarted":
            self.text = ""
            self.restarts += 1
        elif event.type == "delta":
            self.text += event.data["text"]
        self.whole = self.whole or event.type in {"reply", "done"}


@dataclass
class Said:
    """One message: what is sent for it, and the answer once there is one."""

    body: dict[str, Any]
    answer: dict[str, Any] | None = None
    heard: Heard | None = None

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
            if said.body.get("stream") and (said.heard is None or not said.heard.whole):
                await self._listen(session, said)
                return False
            plain = {**said.body, "stream": False}
            async with session.post(f"{self.url}/api/agent/reply", json=plain, headers=self.headers) as response:
                assert response.status in {200, 503}, await response.text()
                if response.status == 200:
                    said.answer = await response.json()
        except aiohttp.ClientError:
            await asyncio.sleep(0.01)
        return said.answer is not None

    async def _listen(self, session: aiohttp.ClientSession, said: Said) -> None:
        """Hear the answer as it grows, from where it was lost."""
        heard = said.heard
        if heard is None:
            request = session.post(f"{self.url}/api/agent/reply", json=said.body, headers=self.headers)
        else:
            headers = {**self.headers, "Last-Event-ID": heard.cursor}
            path = f"{self.url}/api/v1/conversations/{heard.conversation_id}/stream"
            request = session.get(path, headers=headers)
        try:
            async with request as response:
                assert response.status in {200, 503}, await response.text()
                if response.status == 503:
                    return
                async with aclosing(events(response)) as coming:
                    async for event in coming:
                        if event.type == "accepted":
                            heard = said.heard = Heard(event.data["turnId"], event.data["conversationId"])
                        assert heard is not None
                        heard.take(event)
                        if heard.whole:
                            return
        finally:
            if heard is not None and heard.text and not heard.whole:
                heard.cut += 1


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
            # What was heard to its end is asked for once more: the answer is to be the same.
            while not answered and (self.patient or (said.heard is not None and said.heard.whole)):
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


def _body(agent_id: str, name: str, conversation: int, key: str, message: str, *, stream: bool = False) -> Said:
    return Said(
        {
            "message": message,
            "agentId": agent_id,
            "leadId": name,
            "conversationId": f"{name}-{conversation}",
            "idempotencyKey": f"{name}-{key}",
            "stream": stream,
        }
    )


def orders(agent_id: str, name: str, numbers: Iterator[int], *, stream: bool) -> Iterator[Said]:
    """Orders without an end, each of another number."""
    for count in itertools.count():
        number = f"A{next(numbers):06}"
        message = f"Please order {number} for me."
        yield _body(agent_id, name, count // ORDERS_IN_A_CONVERSATION, number, message, stream=stream)


def appointments(agent_id: str, name: str, slots: Iterator[int]) -> Iterator[Said]:
    """Conversations without an end that each book one appointment, at a time of its own."""
    first = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=2)
    for count in itertools.count():
        start = first + timedelta(minutes=_SLOT_MINUTES * next(slots))
        for step, message in enumerate(("Hello, I need an appointment", f"on {start:%-d %B %Y at %H:%M}")):
            yield _body(agent_id, name, count, f"{count}-{step}", message)
