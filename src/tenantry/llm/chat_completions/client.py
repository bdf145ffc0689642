"""The client of the chat-completions wire: a request in, events out while the answer is still being written."""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager, suppress

import aiohttp
import msgspec
import structlog

from tenantry.llm.base import ModelEvent, ModelFault, ModelRequest, TextDelta
from tenantry.llm.chat_completions.answer import Answer
from tenantry.llm.chat_completions.answer_form import Wanted
from tenantry.llm.chat_completions.attempts import Attempts
from tenantry.llm.chat_completions.endpoint import Dialect, Endpoint, Patience
from tenantry.llm.chat_completions.faults import from_status, from_stream
from tenantry.llm.chat_completions.reading import Reading
from tenantry.llm.chat_completions.request_body import Again, request_body, system_message
from tenantry.llm.chat_completions.sse import EventStream
from tenantry.llm.chat_completions.wire import Chunk, decode_chunk
from tenantry.outbound.sockets import AddressNotAllowed, SocketFactory

log = structlog.get_logger()

MAX_ANSWER_BYTES = 8 * 2**20
_MAX_ERROR_BYTES = 64 * 2**10
_CONNECT_SECONDS = 5.0
_CONNECTIONS = 1000
# What follows the last event is the end of the body, which frees the connection for the next request.
_END_OF_BODY_SECONDS = 0.25
_ASK_AGAIN_SECONDS = 10.0
_DONE = b"[DONE]"

SessionFactory = Callable[[], aiohttp.ClientSession]


def pooled_session(socket_factory: SocketFactory | None = None) -> aiohttp.ClientSession:
    """A session that keeps connections open between requests; the client itself watches the time. `socket_factory` may
    refuse addresses with AddressNotAllowed."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=_CONNECTIONS, keepalive_timeout=60, ttl_dns_cache=60, socket_factory=socket_factory
        ),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
    )


class ChatCompletions:
    """A model behind the chat-completions wire. One pooled session serves all of its requests, from its first one to
    `close`."""

    def __init__(self, name: str, endpoint: Endpoint, session_factory: SessionFactory = pooled_session) -> None:
        """`name` is how settings and records name the model, not what its provider calls it."""
        self._name = name
        self._endpoint = endpoint
        self._dialect = Dialect(endpoint.answer_mode)
        self._session_factory = session_factory
        self._session: aiohttp.ClientSession | None = None
        self._url = f"{endpoint.base_url.rstrip('/')}/chat/completions"
        self._headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
        if endpoint.api_key:
            self._headers["Authorization"] = f"Bearer {endpoint.api_key}"

    @property
    def name(self) -> str:
        """How settings, the API and the records name the model."""
        return self._name

    async def close(self) -> None:
        """Close the pooled connections; answers that are still being read end as cut."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def prompt(self, request: ModelRequest) -> str:
        """The system prompt with the rules of the answer."""
        return system_message(request, self._dialect)

    async def respond(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        """One step, tried again where nothing was said yet and the fault may pass. Raises ModelFault."""
        loop = asyncio.get_running_loop()
        patience = self._endpoint.patience
        deadline = loop.time() + patience.total
        attempts = Attempts(request, self._dialect)
        tries = 0
        while True:
            answer = Answer(self._name, attempts.request)
            said, fault = False, None
            try:
                body = request_body(attempts.request, self._endpoint, attempts.dialect)
                async with aclosing(self._answer(body, answer, deadline)) as pieces:
                    async for piece in pieces:
                        said = True
                        yield TextDelta(piece)
                answer.check()
            except ModelFault as raised:
                fault = raised
            whole = fault is None or answer.said_whole
            if whole and (piece := answer.unsaid()):
                yield TextDelta(piece)
            for event in answer.account():
                yield event
            if fault is None or whole:
                break
            if said:
                raise fault
            if attempts.adapt(fault):
                continue
            pause = _pause(patience, fault, tries, deadline - loop.time())
            if pause is None:
                raise fault
            tries += 1
            await asyncio.sleep(pause)
        self._dialect = attempts.learnt or self._dialect
        if fault is not None:
            log.warning("answer broke off after all was said", model=self._name, kind=fault.kind)
        async with aclosing(self._finished(attempts, answer, deadline)) as events:
            async for event in events:
                yield event

    async def _finished(self, attempts: Attempts, answer: Answer, deadline: float) -> AsyncGenerator[ModelEvent]:
        """The values of a finished answer; where some are missing or wrong, the model is asked for them once more."""
        request = attempts.request
        agent = request.agent
        calls = answer.tool_calls()
        values = answer.values()
        reading = Reading.of(agent, request.known, Wanted.whole(agent), {} if calls and values is None else values)
        noted = list(reading.noted())
        for event in noted:
            yield event
        if calls:
            for event in (*reading.unusable(), *calls):
                yield event
            return
        if wanted := reading.wanted_again():
            again = Again(answer.written, wanted, reading.told_faults())
            second = await self._ask_again(attempts, again, deadline)
            for event in second.account():
                yield event
            reading.mend(Reading.of(agent, request.known, wanted, second.values()))
            for event in reading.noted():
                if event not in noted:
                    yield event
        for event in reading.last_events():
            yield event

    async def _ask_again(self, attempts: Attempts, again: Again, deadline: float) -> Answer:
        """The second answer, as far as it came: a fault of it is none of the first one."""
        body = request_body(attempts.request, self._endpoint, attempts.dialect, again)
        deadline = min(deadline, asyncio.get_running_loop().time() + _ASK_AGAIN_SECONDS)
        answer, fault = await self._silently(attempts.request, body, deadline)
        if fault is not None and fault.kind == "cut" and not answer.tokens:
            # The provider may close the connection of the first answer just as this is sent.
            answer, fault = await self._silently(attempts.request, body, deadline)
        if fault is not None:
            log.warning("values not put right", model=self._name, kind=fault.kind)
        return answer

    async def _silently(self, request: ModelRequest, body: bytes, deadline: float) -> tuple[Answer, ModelFault | None]:
        answer = Answer(self._name, request)
        try:
            async with aclosing(self._answer(body, answer, deadline)) as pieces:
                async for _ in pieces:
                    pass
        except ModelFault as fault:
            return answer, fault
        return answer, None

    async def _answer(self, body: bytes, answer: Answer, deadline: float) -> AsyncGenerator[str]:
        """What is said, while the answer takes in all that comes. Raises ModelFault."""
        watch = _Watch(self._name, self._endpoint.patience, deadline)
        async with self._opened(body, watch) as response:
            async with aclosing(self._chunks(response, watch, answer)) as chunks:
                async for chunk in chunks:
                    if chunk.error is not None:
                        raise from_stream(self._name, chunk.error)
                    if said := answer.take(chunk):
                        yield said
            if said := answer.unsaid():
                yield said
            with suppress(TimeoutError, aiohttp.ClientError):
                async with asyncio.timeout(_END_OF_BODY_SECONDS):
                    while await response.content.readany():
                        pass

    async def _chunks(self, response: aiohttp.ClientResponse, watch: "_Watch", answer: Answer) -> AsyncGenerator[Chunk]:
        """The chunks up to `[DONE]`, or to the end of the body where the answer has told that it is finished."""
        stream = EventStream()
        size = tokens = 0
        while True:
            if answer.tokens != tokens:
                tokens = answer.tokens
                watch.token()
            try:
                data = await watch.read(response)
            except ModelFault:
                if answer.finish_reason is not None:
                    return
                raise
            if not data:
                if answer.finish_reason is None:
                    raise self._cut()
                return
            size += len(data)
            if size > MAX_ANSWER_BYTES:
                raise ModelFault("bad_answer", f"{self._name} gave more than {MAX_ANSWER_BYTES} bytes")
            for event in stream.feed(data):
                if event == _DONE:
                    return
                yield self._decoded(event)

    def _decoded(self, event: bytes) -> Chunk:
        try:
            return decode_chunk(event)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise ModelFault("bad_answer", f"{self._name} sent an event that is not of the wire") from None

    @asynccontextmanager
    async def _opened(self, body: bytes, watch: "_Watch") -> AsyncGenerator[aiohttp.ClientResponse]:
        """The response whose body is the stream. Raises ModelFault when it is another."""
        if self._session is None:
            self._session = self._session_factory()
        try:
            async with asyncio.timeout_at(watch.first_token):
                # A redirect would carry the key and the conversation to a place that nobody has named.
                response = await self._session.post(self._url, data=body, headers=self._headers, allow_redirects=False)
        except aiohttp.ClientError as error:
            raise self._not_reached(error) from error
        except TimeoutError:
            raise watch.too_late() from None
        async with response:
            if response.status != 200 or response.content_type == "application/json":
                raise await self._told(response, watch)
            yield response

    async def _told(self, response: aiohttp.ClientResponse, watch: "_Watch") -> ModelFault:
        body = b""
        with suppress(ModelFault):
            while len(body) < _MAX_ERROR_BYTES and (data := await watch.read(response)):
                body += data
        if response.status == 200:
            with suppress(ModelFault):
                if (error := self._decoded(body).error) is not None:
                    return from_stream(self._name, error)
            return ModelFault("bad_answer", f"{self._name} answered with JSON where a stream was asked for")
        return from_status(self._name, response.status, response.headers, body)

    def _not_reached(self, error: aiohttp.ClientError) -> ModelFault:
        # An InvalidURL may be a number that the system would take for an address, such as 2130706433.
        refused = isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, AddressNotAllowed)
        if refused or isinstance(error, aiohttp.InvalidURL):
            return ModelFault("refused", f"{self._name} is at an address that models may not be asked at")
        if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ServerTimeoutError):
            return ModelFault("refused", f"{self._name} cannot be reached", retryable=True)
        if isinstance(error, aiohttp.ClientConnectionError):
            return self._cut()
        return ModelFault("server", f"{self._name} did not answer in HTTP", retryable=True)

    def _cut(self) -> ModelFault:
        return ModelFault("cut", f"{self._name} ended the connection before its answer", retryable=True)


class _Watch:
    """How long one try is waited for. Only tokens count: a server that keeps the connection alive with comments is
    still one that says nothing."""

    def __init__(self, name: str, patience: Patience, deadline: float) -> None:
        self._name = name
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self._deadline = deadline
        self.first_token = min(self._loop.time() + patience.first_token, deadline)
        self._until = self.first_token
        self._begun = False

    def token(self) -> None:
        """A token has come: the next one has its own time."""
        self._begun = True
        self._until = min(self._loop.time() + self._patience.between_tokens, self._deadline)

    async def read(self, response: aiohttp.ClientResponse) -> bytes:
        """What has come of the body, empty at its end. Raises ModelFault."""
        try:
            async with asyncio.timeout_at(self._until):
                return await response.content.readany()
        except aiohttp.ClientError as error:
            raise ModelFault("cut", f"{self._name} broke off its answer", retryable=True) from error
        except TimeoutError:
            raise self.too_late() from None

    def too_late(self) -> ModelFault:
        """The fault of the time that has run out."""
        if self._loop.time() >= self._deadline:
            return ModelFault("timeout", f"{self._name} took longer than {self._patience.total:g} s")
        if self._begun:
            return ModelFault("stalled", f"{self._name} fell silent for {self._patience.between_tokens:g} s")
        return ModelFault("timeout", f"{self._name} said nothing for {self._patience.first_token:g} s")


def _pause(patience: Patience, fault: ModelFault, tries: int, left: float) -> float | None:
    """The seconds before the next try, or None when there is to be none in the seconds that are left."""
    if tries >= patience.retries or not fault.retryable:
        return None
    if fault.retry_after is not None:
        return fault.retry_after if fault.retry_after <= min(patience.longest_retry_after, left) else None
    # Jitter, so that the turns which failed together do not come back together.
    pause = patience.backoff * 2**tries * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
    return pause if pause < left else None
