"""A strict server of the chat-completions wire on loopback: it checks what it is sent and answers by a script."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
KEY = "sk-not-a-real-key"
_TOP = {"model", "messages", "stream", "stream_options", "tools", "tool_choice", "response_format", "provider", "usage"}
_ANSWER_TOOL = "agent_answer"


class WireServer:
    """Gives its scripted answers in turn; `requests` are the bodies it got, `faults` what was wrong with them."""

    def __init__(self) -> None:
        self.url = ""
        self.key = KEY  # what it wants to be asked with
        self.requests: list[dict[str, Any]] = []
        self.faults: list[str] = []
        self.connections: set[Any] = set()
        self.script: deque[Answer] = deque()
        self.refuses: set[str] = set()  # the parts of a request that this provider does not take
        self.done = asyncio.Event()  # set by a test to let go of an answer that waits
        self.hung_up = asyncio.Event()  # set when the client left before the end of an answer

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Check the request and play the next answer."""
        self.connections.add(request.transport)
        body = json.loads(await request.read())
        self.requests.append(body)
        self.faults.extend(request_faults(body, usage="stream_options" not in self.refuses or None))
        if request.headers.get("Authorization") != f"Bearer {self.key}":
            self.faults.append("no bearer token")
        if refused := sorted(key for key in self.refuses if key in body and body[key] != "auto"):
            told = {"message": f"Unsupported parameter: {refused[0]}", "code": "unsupported_parameter"}
            return web.json_response({"error": told}, status=400)
        if not self.script:
            self.faults.append("a request that the script does not have")
            return web.Response(status=500)
        try:
            return await self.script.popleft()(request)
        except (ConnectionError, asyncio.CancelledError):
            self.hung_up.set()
            raise


@asynccontextmanager
async def wire_server() -> AsyncIterator[WireServer]:
    """A server until the block ends, when it must have been sent nothing wrong and asked for its whole script."""
    server = WireServer()
    app = web.Application(client_max_size=2**24)
    app.router.add_post("/v1/chat/completions", server.handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield server
        assert server.faults == []
        assert not server.script
    finally:
        server.done.set()
        await runner.cleanup()


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> bytes:
    """One event of the stream."""
    choices = [{"index": 0, "delta": delta or {}, "finish_reason": finish}] if delta is not None or finish else []
    return b"data: " + json.dumps({"object": "chat.completion.chunk", "choices": choices, **more}).encode() + b"\n\n"


def saying(*pieces: str, finish: str | None = "stop") -> list[bytes]:
    """A whole answer: the role, the pieces of its content, the end and the usage."""
    return [
        chunk({"role": "assistant", "content": ""}),
        *(chunk({"content": piece}) for piece in pieces),
        *([chunk(finish=finish), USAGE, DONE] if finish else []),
    ]


USAGE = chunk(usage={"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19})
DONE = b"data: [DONE]\n\n"


def streaming(parts: Iterable[bytes], *, cut: bool = False, wait: asyncio.Event | None = None) -> Answer:
    """Send the parts one by one; then, with `cut`, break the connection, or with `wait` be silent until it is set."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for part in parts:
            await response.write(part)
        if wait is not None:
            await wait.wait()
        if cut:
            assert request.transport is not None
            request.transport.close()
        return response

    return answer


def paused(before: Iterable[bytes], wait: asyncio.Event, after: Iterable[bytes]) -> Answer:
    """Send the first parts, wait, send the others."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for part in before:
            await response.write(part)
        await wait.wait()
        for part in after:
            await response.write(part)
        return response

    return answer


def waiting(event: asyncio.Event) -> Answer:
    """Not even a status until the event is set."""

    async def answer(_: web.Request) -> web.StreamResponse:
        await event.wait()
        return web.Response(status=500)

    return answer


def refusing(status: int, error: Any = None, **headers: str) -> Answer:
    """An error as providers write it."""

    async def answer(_: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.json_response({"error": error or {"message": "no"}}, status=status, headers=named)

    return answer


def request_faults(body: dict[str, Any], *, usage: bool | None = True) -> list[str]:
    """What is wrong with a request by the wire's rules; `usage` None takes it with and without stream_options."""
    faults = [f"unknown key {key}" for key in body if key not in _TOP]
    if not isinstance(body.get("model"), str) or not body["model"]:
        faults.append("no model")
    if body.get("stream") is not True:
        faults.append("no stream")
    if body.get("stream_options") != {"include_usage": True} and (usage or "stream_options" in body):
        faults.append("no usage")
    faults.extend(_tool_faults(body))
    faults.extend(_message_faults(body.get("messages", [])))
    if form := body.get("response_format"):
        inner = form.get("json_schema", {})
        if form.get("type") != "json_schema" or inner.get("strict") is not True or not inner.get("name"):
            faults.append("response_format of another shape")
        faults.extend(_form_faults(inner.get("schema", {})))
    return faults


def _tool_faults(body: dict[str, Any]) -> list[str]:
    faults: list[str] = []
    if ("tools" in body) != ("tool_choice" in body) or body.get("tools") == []:
        faults.append("tools and tool_choice come together, and never empty")
    names = [tool.get("function", {}).get("name") for tool in body.get("tools", ())]
    for tool in body.get("tools", ()):
        function = tool.get("function", {})
        if tool.get("type") != "function" or set(function) != {"name", "description", "parameters"}:
            faults.append("a tool of another shape")
        if function.get("parameters", {}).get("type") != "object":
            faults.append("parameters that are no object")
        if function.get("name") == _ANSWER_TOOL:
            faults.extend(_form_faults(function["parameters"]))
    if len(set(names)) != len(names):
        faults.append("two tools of one name")
    if (_ANSWER_TOOL in names) != (body.get("tool_choice") == "required"):
        faults.append("the answer's function is there to be called, and nothing else has to be")
    if _ANSWER_TOOL in names and "response_format" in body:
        faults.append("two forms of answer")
    return faults


def _form_faults(schema: dict[str, Any]) -> list[str]:
    """What is wrong with the form of an answer: what is said comes first, what may be chosen last, or neither."""
    names = list(schema.get("properties", {}))
    whole = names[:1] == ["system_response"] and names[-1:] == ["quick_replies"]
    if not names or (not whole and {"system_response", "quick_replies"} & {*names}):
        return ["a form of another order"]
    return strict_faults(schema)


def _message_faults(messages: list[dict[str, Any]]) -> list[str]:
    faults: list[str] = []
    if [m["role"] for m in messages].count("system") != 1 or messages[0]["role"] != "system":
        faults.append("not one system message, at the start")
    open_calls: list[str] = []
    for message in messages:
        role, content = message["role"], message.get("content")
        if role == "tool":
            if message.get("tool_call_id") not in open_calls:
                faults.append("a tool message that answers no call")
            else:
                open_calls.remove(message["tool_call_id"])
            json.loads(message["content"])
            continue
        if open_calls:
            faults.append("a call without an answer")
            open_calls = []
        calls = message.get("tool_calls", [])
        for call in calls:
            if call["type"] != "function" or not isinstance(json.loads(call["function"]["arguments"]), dict):
                faults.append("a tool call of another shape")
            open_calls.append(call["id"])
        if role == "assistant" and not calls and not (content or "").strip():
            faults.append("an empty message")
        if role not in {"system", "user", "assistant"} or not (isinstance(content, str) or (calls and content is None)):
            faults.append(f"a message of another shape: {role}")
    if messages[-1]["role"] not in {"user", "tool"}:
        faults.append("nothing to answer")
    return faults if not open_calls else [*faults, "a call without an answer"]


def strict_faults(schema: dict[str, Any]) -> list[str]:
    """What strict mode would not take: every property is required and no other allowed, all the way down."""
    faults: list[str] = []
    types = schema.get("type", [])
    if "object" in ([types] if isinstance(types, str) else types):
        if schema.get("additionalProperties") is not False:
            faults.append("additionalProperties is not false")
        if sorted(schema.get("required", [])) != sorted(schema.get("properties", {})):
            faults.append("not every property is required")
    if not types and "anyOf" not in schema:
        faults.append("a schema without type")
    inner = [*schema.get("properties", {}).values(), *schema.get("anyOf", []), *filter(None, [schema.get("items")])]
    return faults + [fault for part in inner for fault in strict_faults(part)]
