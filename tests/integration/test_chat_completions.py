"""The client of the chat-completions wire against a strict local server of it: each way to answer, each way to fail."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from tenantry.domain.tools import ToolCallRequest, ToolResult
from tenantry.domain.values import VariableValue
from tenantry.llm.base import (
    ChatMessage,
    FieldsNoted,
    ModelEvent,
    ModelFault,
    ModelRequest,
    QuickReplies,
    RawOutput,
    TextDelta,
    VariableNoted,
)
from tenantry.llm.chat_completions.client import ChatCompletions
from tenantry.llm.chat_completions.endpoint import Endpoint
from tenantry.llm.chat_completions.transport import MAX_ANSWER_BYTES
from tests.integration.asking_models import (
    CALLED,
    FORMED,
    LONG,
    REQUEST,
    SHORT,
    TOOL,
    USED,
    answer_text,
    ask,
    calling,
    pieces_of,
    said,
)
from tests.wire_server import (
    DONE,
    KEY,
    Answer,
    WireServer,
    chunk,
    refusing,
    saying,
    streaming,
    waiting,
    wire_server,
)


@pytest.fixture
async def server() -> AsyncIterator[WireServer]:
    async with wire_server() as started:
        yield started


async def test_plain_text_is_said_as_it_comes(server: WireServer) -> None:
    events, fault = await ask(server, streaming(saying(" Hel", "lo 😀")))
    assert fault is None
    assert said(events) == "Hello 😀"
    assert events[-2:] == [RawOutput(" Hello 😀"), USED]
    assert "response_format" not in server.requests[0]


async def test_one_byte_at_a_time(server: WireServer) -> None:
    whole = b": keep-alive\r\n\r\n" + b"".join(saying("Grüß", " dich")).replace(b"\n", b"\r\n")
    events, _ = await ask(server, streaming(whole[at : at + 1] for at in range(len(whole))))
    assert said(events) == "Grüß dich"


@pytest.mark.parametrize("request_", [REQUEST, FORMED])
async def test_what_is_said_is_told_while_the_rest_is_written(server: WireServer, request_: ModelRequest) -> None:
    pieces = pieces_of("Thank you, Mark." if request_ is REQUEST else answer_text(), 4)
    told = [asyncio.Event() for _ in pieces]

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for piece, heard in zip(pieces, told, strict=True):
            await response.write(chunk({"content": piece}))
            if piece in "Thank you, Mark.":
                await heard.wait()
        await response.write(chunk(finish="stop"))
        return response

    server.script.append(answer)
    model = ChatCompletions("m", Endpoint(server.url, KEY, "x"))
    heard: list[str] = []
    async for event in model.respond(request_):
        if isinstance(event, TextDelta):
            heard.append(event.text)
            for piece, each in zip(pieces, told, strict=True):
                if piece in "".join(heard):
                    each.set()
    await model.close()
    assert "".join(heard).startswith("Thank you, Mark.")
    assert len(heard) > 3


async def test_the_values_come_after_what_is_said(server: WireServer) -> None:
    events, fault = await ask(server, streaming(saying(*pieces_of(answer_text()))), request=FORMED)
    assert fault is None
    assert said(events) == "Thank you, Mark. Which day?"
    assert events[-6:] == [
        RawOutput(answer_text()),
        USED,
        VariableNoted("email", VariableValue("mark@example.com")),
        VariableNoted("price", VariableValue({"amount": 450000, "currency": "USD"})),
        FieldsNoted({"mood": "good", "urgency": 3, "topics": ["sale"]}, {}),
        QuickReplies(("house", "flat")),
    ]
    form = server.requests[0]["response_format"]["json_schema"]["schema"]
    assert list(form["properties"]) == ["system_response", "variables", "mood", "urgency", "topics", "quick_replies"]
    assert form["properties"]["variables"]["properties"]["kind"]["enum"] == ["house", "flat", None]
    assert "provider" not in server.requests[0]


async def test_a_known_value_is_not_noted_again(server: WireServer) -> None:
    known = {"email": VariableValue("mark@example.com"), "price": VariableValue({"amount": 1, "currency": "USD"})}
    events, _ = await ask(server, streaming(saying(answer_text())), request=replace(FORMED, known=known))
    noted = [event.name for event in events if isinstance(event, VariableNoted)]
    assert noted == ["price"]


@pytest.mark.parametrize(("before", "after"), [("```json\n", "\n```"), ("```\n", "```"), (" \n", " I hope it helps.")])
async def test_fenced_json_is_json(server: WireServer, before: str, after: str) -> None:
    text = before + answer_text() + after
    events, fault = await ask(server, streaming(saying(*pieces_of(text, 3))), request=FORMED, answer_mode="prompt")
    assert fault is None
    assert said(events) == "Thank you, Mark. Which day?"
    assert any(isinstance(event, VariableNoted) for event in events)
    assert "response_format" not in server.requests[0]
    assert "additionalProperties" in server.requests[0]["messages"][0]["content"]


async def test_tool_calls_are_put_together_by_index(server: WireServer) -> None:
    def part(index: int, arguments: str, **more: Any) -> bytes:
        function = {"arguments": arguments, **({"name": more.pop("name")} if "name" in more else {})}
        return chunk({"tool_calls": [{"index": index, "function": function, **more}]})

    parts = [
        part(1, "", id="c2", type="function", name="other"),
        part(0, '{"sta', id="c1", type="function", name="book"),
        part(0, 'rt": "2026-11-24T15:00"}'),
        chunk(finish="tool_calls"),
        DONE,
    ]
    events, fault = await ask(server, streaming(parts), request=replace(FORMED, tools=(TOOL,)))
    assert fault is None
    assert [event for event in events if not isinstance(event, RawOutput)] == [
        CALLED,
        ToolCallRequest("c2", "other", {}),
    ]
    assert server.requests[0]["tool_choice"] == "auto"


async def test_tool_calls_without_index_or_id(server: WireServer) -> None:
    calls = [{"id": "", "function": {"name": "book", "arguments": '{"start":'}}, {"function": {"arguments": '"x"}'}}]
    parts = [*(chunk({"tool_calls": [call]}) for call in calls), chunk(finish="stop"), DONE]
    events, _ = await ask(server, streaming(parts), request=replace(REQUEST, tools=(TOOL,)))
    assert events == [RawOutput('book {"start":"x"}'), ToolCallRequest("call_1_0", "book", {"start": "x"})]


async def test_results_go_back_as_the_wire_wants_them(server: WireServer) -> None:
    messages = (
        ChatMessage("assistant", "Hello"),
        ChatMessage("user", "Book me"),
        ChatMessage("assistant", "", tool_calls=(CALLED,)),
        ChatMessage("tool", "", tool_call_id="c1", tool_result=ToolResult({"status": "booked"})),
    )
    request = replace(REQUEST, messages=messages, tools=(TOOL,))
    events, fault = await ask(server, streaming(saying("Booked.")), request=request)
    assert (said(events), fault) == ("Booked.", None)
    sent = server.requests[0]["messages"]
    assert sent[3]["tool_calls"][0]["function"] == {"name": "book", "arguments": '{"start":"2026-11-24T15:00"}'}
    assert sent[4] == {"role": "tool", "tool_call_id": "c1", "content": '{"status":"booked"}'}


async def test_one_megabyte(server: WireServer) -> None:
    text = "word " * 200_000
    events, fault = await ask(server, streaming(saying(answer_text(system_response=text))), request=FORMED)
    assert fault is None
    assert said(events) == text


async def test_an_answer_without_end_is_left(server: WireServer) -> None:
    piece = chunk({"content": "x" * 2**20})
    events, fault = await ask(server, streaming([piece] * (MAX_ANSWER_BYTES // len(piece) + 2)))
    assert fault is not None
    assert fault.kind == "bad_answer"
    assert len(said(events)) <= MAX_ANSWER_BYTES


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (400, {"message": "Hello is wrong", "code": "invalid_value"}, "refused"),
        (400, {"message": "too long", "code": "context_length_exceeded"}, "context_too_long"),
        (
            400,
            {"message": "the request exceeds the available context size (512 tokens)", "code": 400},
            "context_too_long",
        ),
        (413, {"message": "no"}, "context_too_long"),
        (401, {"message": f"wrong key {KEY}"}, "auth"),
        (403, "forbidden", "auth"),
        (402, {"message": "no credits", "code": 402}, "refused"),
        (404, {"message": "no such model"}, "not_found"),
        (422, {"message": "no"}, "refused"),
        (302, {"message": "elsewhere"}, "refused"),
        (429, {"message": "no money", "code": "insufficient_quota"}, "rate_limited"),
    ],
)
async def test_what_cannot_pass_is_not_tried_again(server: WireServer, status: int, error: Any, kind: str) -> None:
    events, fault = await ask(server, refusing(status, error))
    assert events == []
    assert fault is not None
    assert fault.kind == kind
    assert not fault.retryable


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refusing(500), "server"),
        (refusing(503), "server"),
        (refusing(408), "timeout"),
        (refusing(429), "rate_limited"),
        (streaming([], cut=True), "cut"),
        (streaming([chunk({"role": "assistant"})], cut=True), "cut"),
        (streaming([chunk(error={"code": 502, "message": "Provider of Hello is down"})]), "server"),
        (streaming([chunk(error={"code": 429, "message": "slow down"})]), "rate_limited"),
        (streaming([chunk({"content": '{"sys'})], cut=True), "cut"),
    ],
)
async def test_what_may_pass_is_tried_three_times(server: WireServer, answer: Answer, kind: str) -> None:
    _, fault = await ask(server, answer, answer, answer, request=FORMED)
    assert fault is not None
    assert fault.kind == kind
    last = streaming(saying(answer_text()))
    events, fault = await ask(server, answer, answer, last, request=FORMED)
    assert (said(events), fault) == ("Thank you, Mark. Which day?", None)


async def test_retry_after_is_honoured(server: WireServer) -> None:
    moments: list[float] = []
    loop = asyncio.get_running_loop()

    def timed(answer: Answer) -> Answer:
        async def noting(request: Any) -> Any:
            moments.append(loop.time())
            return await answer(request)

        return noting

    events, _ = await ask(server, timed(refusing(429, Retry_After="0.3")), timed(streaming(saying("Hi"))))
    assert said(events) == "Hi"
    assert moments[1] - moments[0] >= 0.3


@pytest.mark.parametrize("after", ["11", "Fri, 31 Dec 2100 23:59:59 GMT"])
async def test_a_long_retry_after_is_told_instead(server: WireServer, after: str) -> None:
    _, fault = await ask(server, refusing(429, Retry_After=after))
    assert fault is not None
    assert fault.kind == "rate_limited"
    assert fault.retry_after is not None
    assert fault.retry_after > 10


async def test_nobody_there() -> None:
    model = ChatCompletions("m", Endpoint("http://127.0.0.1:9/v1", KEY, "x", patience=SHORT))
    with pytest.raises(ModelFault) as told:
        async for _ in model.respond(REQUEST):
            pass
    await model.close()
    assert told.value.kind == "refused"


async def test_no_answer_at_all_is_a_timeout(server: WireServer) -> None:
    _, fault = await ask(server, waiting(server.done), patience=SHORT)
    assert fault is not None
    assert fault.kind == "timeout"


async def test_comments_and_the_role_are_no_first_token(server: WireServer) -> None:
    parts = [b": keep-alive\n\n", chunk({"role": "assistant", "content": ""})]
    events, fault = await ask(server, streaming(parts, wait=server.done), patience=SHORT)
    assert events == []
    assert fault is not None
    assert fault.kind == "timeout"


async def test_silence_after_a_token_is_a_stall_and_what_was_said_stays(server: WireServer) -> None:
    events, fault = await ask(server, streaming([chunk({"content": "Well"})], wait=server.done), patience=SHORT)
    assert events == [TextDelta("Well"), RawOutput("Well")]
    assert fault is not None
    assert fault.kind == "stalled"


async def test_the_whole_has_its_time(server: WireServer) -> None:
    patience = replace(LONG, total=0.3)
    events, fault = await ask(server, streaming([chunk({"content": "Well"})], wait=server.done), patience=patience)
    assert events == [TextDelta("Well"), RawOutput("Well")]
    assert fault is not None
    assert fault.kind == "timeout"


async def test_a_finished_answer_that_is_not_closed_is_an_answer(server: WireServer) -> None:
    parts = [chunk({"content": "Well."}), chunk(finish="stop")]
    events, fault = await ask(server, streaming(parts, wait=server.done), patience=SHORT)
    assert (events, fault) == ([TextDelta("Well."), RawOutput("Well.")], None)


@pytest.mark.parametrize("request_", [REQUEST, FORMED])
async def test_cut_in_mid_word_is_not_tried_again(server: WireServer, request_: ModelRequest) -> None:
    text = "Thank yo" if request_ is REQUEST else answer_text()[:29]
    events, fault = await ask(server, streaming(saying(text, finish=None), cut=True), request=request_)
    assert said(events) == "Thank yo"
    assert fault is not None
    assert fault.kind == "cut"


async def test_cut_inside_a_tool_call_calls_nothing(server: WireServer) -> None:
    call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "book", "arguments": '{"start": "2026'}}
    answer = streaming([chunk({"content": "One moment."}), chunk({"tool_calls": [call]})], cut=True)
    events, fault = await ask(server, answer, request=replace(REQUEST, tools=(TOOL,)))
    assert events == [TextDelta("One moment."), RawOutput('One moment.\nbook {"start": "2026')]
    assert fault is not None
    assert fault.kind == "cut"


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        (saying('{"system_response": Hi}'), "bad_answer"),
        (saying('{"reply": "Hi"}'), "bad_answer"),
        (saying('{"system_response": 5}'), "bad_answer"),
        (saying(answer_text(system_response=" ")), "bad_answer"),
        (saying("{" * 5), "bad_answer"),
        (saying('{"a":' + "[" * 50_000), "bad_answer"),
        (saying(), "bad_answer"),
        ([b"data: {nonsense\n\n"], "bad_answer"),
        ([b'data: {"choices": "x"}\n\n'], "bad_answer"),
        ([b'data: {"choices": [{"delta": {"content": "\xff"}}]}\n\n'], "bad_answer"),
        (calling(name="book", arguments='{"start": '), "bad_answer"),
        (calling(name="book", arguments="[1]"), "bad_answer"),
        (calling(arguments="{}"), "bad_answer"),
        ([chunk({"tool_calls": [{"index": n, "id": f"{n}"} for n in range(40)]})], "bad_answer"),
        (saying('{"system_response": "and so', finish="length"), "cut"),
        (saying(finish="content_filter"), "refused"),
        ([chunk({"refusal": "I cannot"}), chunk(finish="stop"), DONE], "refused"),
    ],
)
async def test_answers_that_are_none(server: WireServer, parts: list[bytes], kind: str) -> None:
    tries = 2 if kind == "bad_answer" else 1
    _, fault = await ask(server, *[streaming(parts)] * tries, request=FORMED)
    assert fault is not None
    assert fault.kind == kind


async def test_an_answer_that_is_none_is_asked_for_once_more(server: WireServer) -> None:
    script = [streaming(saying("{nothing")), streaming(saying(answer_text()))]
    events, fault = await ask(server, *script, request=FORMED)
    assert fault is None
    assert [event for event in events if isinstance(event, RawOutput)] == [
        RawOutput("{nothing"),
        RawOutput(answer_text()),
    ]
    assert events.count(USED) == 2
    assert server.requests[0] == server.requests[1]


async def test_json_where_a_stream_was_asked_for(server: WireServer) -> None:
    _, fault = await ask(server, refusing(200, {"code": 401, "message": "no"}))
    assert fault is not None
    assert fault.kind == "auth"


async def test_the_connection_is_used_again(server: WireServer) -> None:
    server.script.extend(
        [streaming(saying("One")), streaming(saying("Two")), refusing(400), streaming(saying("Three"))]
    )
    model = ChatCompletions("m", Endpoint(server.url, KEY, "x"))
    for expected in ("One", "Two", "", "Three"):
        events: list[ModelEvent] = []
        with suppress(ModelFault):
            events = [event async for event in model.respond(REQUEST)]
        assert said(events) == expected
    await model.close()
    assert len(server.connections) == 1


async def test_who_stops_listening_hangs_up(server: WireServer) -> None:
    server.script.append(streaming([chunk({"content": "Well"})], wait=server.done))
    model = ChatCompletions("m", Endpoint(server.url, KEY, "x"))
    async with aclosing(model.respond(REQUEST)) as events:  # pyright: ignore[reportArgumentType]
        assert await anext(events) == TextDelta("Well")
    await asyncio.wait_for(server.hung_up.wait(), 5)
    await model.close()


def test_the_key_is_not_shown() -> None:
    assert KEY not in repr(Endpoint("http://localhost", KEY, "x"))
