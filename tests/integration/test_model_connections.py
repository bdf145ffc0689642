"""The connections that answers of models are read from, against servers that write exactly the bytes of each case."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tenantry.domain.agent import AgentDefinition
from tenantry.llm.base import ChatMessage, ModelFault, ModelRequest, TextDelta
from tenantry.llm.chat_completions import connections
from tenantry.llm.chat_completions.client import ChatCompletions
from tenantry.llm.chat_completions.endpoint import Endpoint, Patience
from tests.wire_server import DONE, KEY, chunk

REQUEST = ModelRequest(
    agent=AgentDefinition(name="A"),
    system_prompt="",
    messages=(ChatMessage("user", "Hello"),),
    tools=(),
    known={},
    now=datetime(2026, 11, 21, 9, tzinfo=UTC),
    user_id="u",
)
ONCE = Patience(retries=0)
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
EVENTS = chunk({"content": "Well."}) + chunk(finish="stop") + DONE
WHOLE = OK + b"Content-Length: %d\r\n\r\n" % len(EVENTS) + EVENTS


class RawServer:
    """Reads requests, and gives each connection to a function."""

    def __init__(self) -> None:
        self.url = ""
        self.connections = 0
        self.requests: list[bytes] = []

    async def request(self, reader: asyncio.StreamReader) -> None:
        """Read one request."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        self.requests.append(head + await reader.readexactly(length))


@asynccontextmanager
async def raw_server(serve: "Serve", tls: ssl.SSLContext | None = None) -> AsyncIterator[RawServer]:
    raw = RawServer()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raw.connections += 1
        try:
            await serve(raw, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    raw.url = f"https://localhost:{port}/v1" if tls else f"http://127.0.0.1:{port}/v1"
    async with server:
        yield raw


Serve = Callable[[RawServer, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def writing(*answers: bytes) -> Serve:
    """Answers requests in turn; then closes the connection."""

    async def serve(raw: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await raw.request(reader)
            writer.write(answer)
            await writer.drain()

    return serve


@asynccontextmanager
async def model_of(url: str, key: str = KEY, **more: object) -> AsyncIterator[ChatCompletions]:
    model = ChatCompletions("m", Endpoint(url, key, "x", patience=ONCE), **more)  # pyright: ignore[reportArgumentType]
    yield model
    await model.close()


async def said(model: ChatCompletions) -> str:
    """What is said; or the kind of the fault."""
    try:
        return "".join([event.text async for event in model.respond(REQUEST) if isinstance(event, TextDelta)])
    except ModelFault as fault:
        assert KEY not in str(fault)
        return fault.kind


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (WHOLE, "Well."),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" + WHOLE, "Well."),
        (OK + b"\r\n" + EVENTS, "Well."),
        (OK + b"\r\n" + EVENTS[: -len(DONE)], "Well."),
        (OK + b"\r\n" + chunk({"content": "We"}), "cut"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\ndata:\r\n", "cut"),
        (OK + b"Content-Length: 9999\r\n\r\ndata:", "cut"),
        (b"", "cut"),
        (b"HTTP/1.1 200", "cut"),
        (b"220 mail.example ESMTP\r\n", "server"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n", "cut"),
        (OK + b"X-Long: " + b"x" * 2**17 + b"\r\n\r\n", "server"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", "server"),
        (b"HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\n{}", "auth"),
    ],
)
async def test_answers_byte_by_byte_and_at_once(answer: bytes, expected: str) -> None:
    async def slowly(raw: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await raw.request(reader)
        for at in range(0, len(answer), 1 if len(answer) < 2**16 else 2**12):
            writer.write(answer[at : at + (1 if len(answer) < 2**16 else 2**12)])
            await asyncio.sleep(0)

    for serve in (writing(answer), slowly):
        async with raw_server(serve) as server, model_of(server.url) as model:
            assert await said(model) == expected


async def test_the_request_as_it_is_sent() -> None:
    async with raw_server(writing(WHOLE)) as server, model_of(f"{server.url}/?a=b") as model:
        await said(model)
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0].startswith("POST /v1/")
    assert f"Host: {server.url.split('/')[2]}" in lines
    assert f"Authorization: Bearer {KEY}" in lines
    assert f"Content-Length: {len(body)}" in lines


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (WHOLE, 1),
        (WHOLE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1), 2),
        (WHOLE.replace(b"HTTP/1.1", b"HTTP/1.0"), 2),
        (WHOLE + WHOLE, 2),
        (WHOLE + b"more", 2),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(EVENTS), EVENTS), 1),
    ],
)
async def test_a_connection_is_used_again_only_after_one_whole_answer(answer: bytes, expected: int) -> None:
    async with raw_server(writing(answer, answer)) as server, model_of(server.url) as model:
        assert [await said(model), await said(model)] == ["Well.", "Well."]
        assert server.connections == expected


async def test_a_connection_that_the_server_closed_is_not_used_again() -> None:
    closed = asyncio.Event()

    async def serve(raw: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await raw.request(reader)
        writer.write(WHOLE)
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        closed.set()

    async with raw_server(serve) as server, model_of(server.url) as model:
        assert await said(model) == "Well."
        await closed.wait()
        await asyncio.sleep(0.01)
        assert await said(model) == "Well."
        assert server.connections == 2


async def test_many_at_once_each_get_their_own_connection() -> None:
    async with raw_server(writing(WHOLE, WHOLE)) as server, model_of(server.url) as model:
        assert await asyncio.gather(*(said(model) for _ in range(20))) == ["Well."] * 20
        assert server.connections <= 20
        assert await asyncio.gather(*(said(model) for _ in range(20))) == ["Well."] * 20
        assert server.connections <= 20


async def test_who_reads_slowly_makes_the_server_wait() -> None:
    stuck = asyncio.Event()
    piece = chunk({"content": "x" * 2**16})
    parts = [piece] * 100 + [chunk(finish="stop"), DONE]

    async def serve(raw: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await raw.request(reader)
        writer.write(OK + b"\r\n" + b"".join(parts))
        left, looks = 0, 0
        # A server whose bytes are taken sees fewer of them at each look.
        while looks < 50:
            await asyncio.sleep(0.002)
            now = writer.transport.get_write_buffer_size()
            looks = looks + 1 if now == left > 0 else 0
            left = now
        stuck.set()
        await writer.drain()

    length = 0
    async with raw_server(serve) as server, model_of(server.url) as model:
        async for event in model.respond(REQUEST):
            if isinstance(event, TextDelta):
                length += len(event.text)
                await asyncio.wait_for(stuck.wait(), 5)
    assert length == 100 * 2**16


async def test_an_address_may_be_refused() -> None:
    asked: list[str] = []

    def refuse(address: connections.AddressInfo) -> socket.socket:
        asked.append(address[4][0])
        raise OSError("not allowed")

    async with raw_server(writing(WHOLE)) as server, model_of(server.url, socket_factory=refuse) as model:
        assert await said(model) == "refused"
        assert asked == ["127.0.0.1"]
        assert server.connections == 0


@pytest.mark.parametrize(
    "url", ["localhost:1", "ftp://127.0.0.1/v1", "http://", "http://127.0.0.1:99999", "http://ü..x/"]
)
async def test_an_address_that_is_none_cannot_be_reached(url: str) -> None:
    async with model_of(url) as model:
        assert await said(model) == "refused"


@pytest.mark.parametrize("key", ["sk\r\nX-Evil: 1", "sk-ü", "sk\0"])
async def test_a_key_that_no_header_can_hold_is_not_sent(key: str) -> None:
    async with raw_server(writing(WHOLE)) as server, model_of(server.url, key=key) as model:
        assert await said(model) == "auth"
        assert server.connections == 0


async def test_closing_cuts_what_is_being_read() -> None:
    waiting = asyncio.Event()

    async def serve(raw: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await raw.request(reader)
        waiting.set()
        await reader.read()

    async with raw_server(serve) as server, model_of(server.url) as model:
        asking = asyncio.create_task(said(model))
        await waiting.wait()
        await model.close()
        assert await asking == "cut"


@pytest.fixture
def certificate(tmp_path: Path) -> Iterator[Path]:
    """A certificate of localhost, signed by itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "localhost.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    yield path
    connections.tls_context.cache_clear()


@pytest.mark.parametrize("trusted", [True, False])
async def test_tls_only_with_a_certificate_that_is_trusted(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, *, trusted: bool
) -> None:
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    connections.tls_context.cache_clear()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    async with raw_server(writing(WHOLE, WHOLE), tls=context) as server, model_of(server.url) as model:
        expected = "Well." if trusted else "refused"
        assert [await said(model), await said(model)] == [expected, expected]
        if trusted:
            assert server.connections == 1
