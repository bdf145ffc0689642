"""What a model is sent of the conversation, and how it goes on from what was said, against a strict server."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tenantry.llm.base import ChatMessage
from tests.integration.asking_models import CALLED, FORMED, REQUEST, TOOL, answer_text, ask, calling, pieces_of, said
from tests.wire_server import WireServer, chunk, refusing, saying, streaming, wire_server

SPOKEN = "Thank you, Mark. Which day?"


@pytest.fixture
async def server() -> AsyncIterator[WireServer]:
    async with wire_server() as started:
        yield started


TOO_LONG = refusing(400, {"message": "too long", "code": "context_length_exceeded"})


async def test_half_of_the_history_is_left_out_where_all_is_too_long(server: WireServer) -> None:
    history = tuple(ChatMessage("assistant" if n % 2 else "user", f"m{n}") for n in range(5))
    turn = (
        ChatMessage("user", "Book me"),
        ChatMessage("assistant", "", tool_calls=(CALLED,)),
        ChatMessage("tool", '{"status": "booked"}', tool_call_id="c1"),
    )
    request = replace(REQUEST, messages=(*history, *turn))
    events, fault = await ask(server, TOO_LONG, streaming(saying("Done.")), request=request)
    assert (said(events), fault) == ("Done.", None)
    assert [m["content"] for m in server.requests[1]["messages"]][:4] == ["You are A.", "m3", "m4", "Book me"]
    _, fault = await ask(server, TOO_LONG, TOO_LONG, request=request)
    assert fault is not None
    assert fault.kind == "context_too_long"
    _, fault = await ask(server, TOO_LONG, request=replace(REQUEST, messages=turn))
    assert fault is not None


async def test_messages_that_say_nothing_are_left_out(server: WireServer) -> None:
    messages = (ChatMessage("assistant", "Hi"), ChatMessage("user", "a"), ChatMessage("assistant", " "))
    request = replace(REQUEST, messages=(*messages, ChatMessage("user", "b")))
    await ask(server, streaming(saying("Yes")), request=request)
    sent = [(m["role"], m["content"]) for m in server.requests[0]["messages"][1:]]
    assert sent == [("assistant", "Hi"), ("user", "a"), ("user", "b")]


@pytest.mark.parametrize("form", [True, False])
@pytest.mark.parametrize(
    ("new", "heard"), [("which day suits?", " which day suits?"), ("Thank you, Mark. Which day?", "ch day?")]
)
async def test_it_goes_on_from_what_was_said(server: WireServer, form: bool, new: str, heard: str) -> None:
    request = FORMED if form else REQUEST
    request = replace(request, messages=(*request.messages, ChatMessage("assistant", "Thank you, Mark. Whi")))
    text = answer_text(system_response=new) if form else new
    events, fault = await ask(server, streaming(saying(*pieces_of(text, 3))), request=request)
    assert (said(events), fault) == (heard, None)
    sent = server.requests[0]["messages"]
    assert [m["role"] for m in sent] == ["system", "user", "assistant", "user"]
    assert "«Thank you, Mark. Whi»" in sent[-1]["content"]


async def test_nothing_more_to_say_is_an_answer_where_enough_was_said(server: WireServer) -> None:
    request = replace(FORMED, messages=(*FORMED.messages, ChatMessage("assistant", SPOKEN)))
    for text in ("", SPOKEN):
        events, fault = await ask(server, streaming(saying(answer_text(system_response=text))), request=request)
        assert (said(events), fault) == ("", None)


async def test_what_was_held_back_is_not_said_before_a_second_try(server: WireServer) -> None:
    request = replace(REQUEST, messages=(*REQUEST.messages, ChatMessage("assistant", "Thank you, Mark. Whi")))
    script = [streaming([chunk({"content": "Thank you, "})], cut=True), streaming(saying("which day?"))]
    events, fault = await ask(server, *script, request=request)
    assert fault is None
    assert said(events) == " which day?"


async def test_calls_beside_a_broken_off_text_go_on_too(server: WireServer) -> None:
    request = replace(REQUEST, messages=(*REQUEST.messages, ChatMessage("assistant", "One moment")), tools=(TOOL,))
    events, _ = await ask(server, streaming(calling(name="book", arguments="{}")), request=request)
    assert said(events) == ""
    assert events[-1] == replace(CALLED, arguments={})
