"""The typed turn against a strict server of the wire: asked once more, stepped down, gone on, chosen from."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from tenantry.domain.values import VariableValue
from tenantry.llm.base import (
    FieldsNoted,
    ModelEvent,
    QuickReplies,
    RawOutput,
    TextDelta,
    UsageReported,
    VariableNoted,
    VariableRefused,
)
from tenantry.llm.chat_completions.client import ChatCompletions
from tenantry.llm.chat_completions.endpoint import Endpoint
from tests.integration.asking_models import (
    CALLED,
    FORM,
    FORMED,
    LONG,
    REQUEST,
    SHORT,
    TOOL,
    USED,
    answer_text,
    answered,
    ask,
    pieces_of,
    said,
)
from tests.wire_server import (
    DONE,
    KEY,
    USAGE,
    Answer,
    WireServer,
    chunk,
    paused,
    refusing,
    saying,
    streaming,
    waiting,
    wire_server,
)

SPOKEN = "Thank you, Mark. Which day?"
GOOD = FieldsNoted({"mood": "good", "urgency": 3, "topics": ["sale"]}, {})
NO_CHOICES = replace(FORM, variables=FORM.variables[:2])
BARE = replace(REQUEST, agent=NO_CHOICES)


@pytest.fixture
async def server() -> AsyncIterator[WireServer]:
    async with wire_server() as started:
        yield started


def wrong_text() -> str:
    wrong = json.loads(answer_text(mood="angry", variables={"email": "no", "kind": "boat", "price": 5, "fax": "1"}))
    del wrong["topics"]
    return json.dumps(wrong)


def mended(**values: Any) -> Answer:
    return streaming(saying(json.dumps(values)))


async def test_what_is_wrong_is_asked_for_once_more_and_heard_by_nobody(server: WireServer) -> None:
    second = {"variables": {"email": "mark@example.com", "kind": "flat"}, "mood": "bad", "topics": []}
    events, fault = await ask(server, streaming(saying(wrong_text())), mended(**second), request=FORMED)
    assert fault is None
    assert events == [
        TextDelta(SPOKEN),
        RawOutput(wrong_text()),
        USED,
        VariableNoted("price", VariableValue({"amount": 5, "currency": "USD"})),
        RawOutput(json.dumps(second)),
        USED,
        VariableNoted("email", VariableValue("mark@example.com")),
        VariableNoted("kind", VariableValue("flat")),
        VariableRefused("fax", "is no variable of this agent"),
        FieldsNoted({"mood": "bad", "urgency": 3, "topics": []}, {}),
    ]
    first, again = server.requests
    assert again["messages"][:-2] == first["messages"]
    assert again["messages"][-2] == {"role": "assistant", "content": wrong_text()}
    asked = again["messages"][-1]["content"]
    for told in ("variables.email: is no e-mail", "variables.kind: is none", "mood: is none", "topics: is missing"):
        assert told in asked
    form = again["response_format"]["json_schema"]["schema"]
    assert list(form["properties"]) == ["variables", "mood", "topics"]
    assert list(form["properties"]["variables"]["properties"]) == ["email", "kind"]


async def test_what_stays_wrong_is_told_once(server: WireServer) -> None:
    second = {"variables": {"email": "still", "kind": None}, "mood": "sad"}
    events, fault = await ask(server, streaming(saying(wrong_text())), mended(**second), request=FORMED)
    assert fault is None
    assert [event for event in events if isinstance(event, VariableRefused)] == [
        VariableRefused("email", "is no e-mail address"),
        VariableRefused("kind", "is none of the choices"),
        VariableRefused("fax", "is no variable of this agent"),
    ]
    faults = {"mood": "is none of the choices", "topics": "is missing"}
    assert [event for event in events if isinstance(event, FieldsNoted)] == [FieldsNoted({"urgency": 3}, faults)]


@pytest.mark.parametrize("second", ["refused", "nonsense", "empty", "cut", "silent"])
async def test_a_fault_of_the_second_answer_is_none_of_the_first(server: WireServer, second: str) -> None:
    answers = {
        "refused": refusing(500),
        "nonsense": streaming(saying("I am sorry.")),
        "empty": streaming(saying()),
        "cut": streaming([chunk({"content": '{"mood": "b'})], cut=True),
        "silent": waiting(server.done),
    }
    script = [streaming(saying(answer_text(mood="angry"))), answers[second]]
    events, fault = await ask(server, *script, request=FORMED, patience=SHORT)
    assert fault is None
    assert said(events) == SPOKEN
    faults = {"mood": "is none of the choices"}
    assert FieldsNoted({"urgency": 3, "topics": ["sale"]}, faults) in events


async def test_a_connection_that_closed_in_between_is_no_fault(server: WireServer) -> None:
    script = [streaming(saying(answer_text(mood="angry"))), streaming([], cut=True), mended(mood="bad")]
    events, fault = await ask(server, *script, request=FORMED)
    assert fault is None
    assert FieldsNoted({"mood": "bad", "urgency": 3, "topics": ["sale"]}, {}) in events


async def test_the_second_asking_has_what_is_left_of_the_time(server: WireServer) -> None:
    script = [streaming(saying(answer_text(mood="angry"))), waiting(server.done)]
    started = asyncio.get_running_loop().time()
    _, fault = await ask(server, *script, request=FORMED, patience=replace(LONG, total=0.4))
    assert fault is None
    assert asyncio.get_running_loop().time() - started < 2


@pytest.mark.parametrize(
    ("parts", "heard"),
    [
        (saying('{"system_response": "Hi", "variables": {'), "Hi"),
        (saying('{"system_response": "Hi", "variables": {', finish="length"), "Hi"),
        (saying('{"system_response": "Hi'), "Hi"),
        (saying("Sure, which day?"), "Sure, which day?"),
        (saying("`Sure`, ", "which day?"), "`Sure`, which day?"),
        (saying("``"), "``"),
    ],
)
async def test_of_an_answer_without_its_end_what_was_said_is_kept(
    server: WireServer, parts: list[bytes], heard: str
) -> None:
    rest = json.loads(answer_text())
    del rest["system_response"]
    events, fault = await ask(server, streaming(parts), mended(**rest), request=FORMED)
    assert (said(events), fault) == (heard, None)
    assert VariableNoted("email", VariableValue("mark@example.com")) in events
    assert GOOD in events
    assert server.requests[1]["messages"][-2]["role"] == "assistant"


@pytest.mark.parametrize("cut", [True, False])
async def test_a_break_after_all_was_said_is_mended_too(server: WireServer, cut: bool) -> None:
    parts = [chunk({"content": '{"system_response": "Hi.", "vari'})]
    script = [streaming(parts, cut=cut, wait=None if cut else server.done), mended(mood="good", urgency=3, topics=[])]
    events, fault = await ask(server, *script, request=FORMED, patience=SHORT)
    assert (said(events), fault) == ("Hi.", None)
    assert FieldsNoted({"mood": "good", "urgency": 3, "topics": []}, {}) in events


async def test_variables_that_are_no_object(server: WireServer) -> None:
    script = [streaming(saying(answer_text(variables=["x"]))), mended(variables={"email": "a@example.org"})]
    events, _ = await ask(server, *script, request=FORMED)
    assert VariableNoted("email", VariableValue("a@example.org")) in events
    assert not [event for event in events if isinstance(event, VariableRefused)]
    script = [streaming(saying(answer_text(variables=["x"]))), mended(variables=5)]
    events, _ = await ask(server, *script, request=FORMED)
    assert VariableRefused("variables", "is no object") in events


async def test_a_blank_value_is_none(server: WireServer) -> None:
    text = answer_text(variables={"email": "", "price": None, "kind": " "})
    events, _ = await ask(server, streaming(saying(text)), request=FORMED)
    assert not [event for event in events if isinstance(event, VariableNoted | VariableRefused)]


async def test_with_a_tool_call_wrong_values_are_refused_at_once(server: WireServer) -> None:
    function = {"name": "book", "arguments": json.dumps(CALLED.arguments)}
    call = {"index": 0, "id": "c1", "type": "function", "function": function}
    parts = [chunk({"content": wrong_text()}), chunk({"tool_calls": [call]}), chunk(finish="tool_calls"), DONE]
    events, fault = await ask(server, streaming(parts), request=replace(FORMED, tools=(TOOL,)))
    assert fault is None
    assert events[-4:] == [
        VariableRefused("email", "is no e-mail address"),
        VariableRefused("kind", "is none of the choices"),
        VariableRefused("fax", "is no variable of this agent"),
        CALLED,
    ]


def answering_call(text: str, size: int = 5, before: str = "") -> list[bytes]:
    def part(arguments: str, **more: Any) -> bytes:
        return chunk({"tool_calls": [{"index": 0, "function": {"arguments": arguments, **more}}]})

    begin = [chunk({"content": before})] if before else []
    pieces = [part(piece) for piece in pieces_of(text, size)]
    return [*begin, part("", name="agent_answer"), *pieces, chunk(finish="tool_calls"), USAGE, DONE]


@pytest.mark.parametrize("before", ["", "Thank you, ", SPOKEN, "One moment."])
async def test_by_a_tool_the_answer_is_said_as_its_arguments_grow(server: WireServer, before: str) -> None:
    request = replace(FORMED, tools=(TOOL,))
    parts = answering_call(answer_text(), before=before)
    # It is written up to "Mark. Wh", and the rest when some of that was heard.
    more, at = asyncio.Event(), bool(before) + 9
    server.script.append(paused(parts[:at], more, parts[at:]))
    model = ChatCompletions("m", Endpoint(server.url, KEY, "vendor/model", patience=LONG, answer_mode="tool"))
    events: list[ModelEvent] = []
    async for event in model.respond(request):
        events.append(event)
        if said(events)[len(before) :] or before == SPOKEN:
            more.set()
    await model.close()
    heard = f"{before} {SPOKEN}" if before == "One moment." else SPOKEN
    assert said(events) == heard
    assert before == SPOKEN or len([event for event in events if isinstance(event, TextDelta)]) > 1
    assert GOOD in events
    sent = server.requests[0]
    assert [tool["function"]["name"] for tool in sent["tools"]] == ["book", "agent_answer"]
    assert "`agent_answer`" in sent["messages"][0]["content"]


async def test_by_a_tool_it_is_asked_once_more(server: WireServer) -> None:
    script = [streaming(answering_call(answer_text(mood="angry"))), streaming(answering_call('{"mood": "bad"}'))]
    events, fault = await ask(server, *script, request=replace(FORMED, tools=(TOOL,)), answer_mode="tool")
    assert (said(events), fault) == (SPOKEN, None)
    assert FieldsNoted({"mood": "bad", "urgency": 3, "topics": ["sale"]}, {}) in events
    again = server.requests[1]
    assert [list(tool["function"]["parameters"]["properties"]) for tool in again["tools"]] == [["mood"]]
    assert again["messages"][-2] == {"role": "assistant", "content": answer_text(mood="angry")}


async def test_by_a_tool_the_agents_own_calls_come_first(server: WireServer) -> None:
    own = {"index": 1, "id": "c1", "function": {"name": "book", "arguments": json.dumps(CALLED.arguments)}}
    parts = [*answering_call(answer_text())[:-3], chunk({"tool_calls": [own]}), chunk(finish="tool_calls"), DONE]
    request = replace(FORMED, tools=(TOOL,))
    events, fault = await ask(server, streaming(parts), request=request, answer_mode="tool")
    assert (said(events), fault, events[-1]) == (SPOKEN, None, CALLED)


async def test_the_prompt_mode_asks_once_more_with_the_schema_in_words(server: WireServer) -> None:
    script = [streaming(saying(answer_text(mood="angry"))), mended(mood="bad")]
    request = replace(FORMED, tools=(TOOL,))
    events, _ = await ask(server, *script, request=request, answer_mode="prompt")
    assert FieldsNoted({"mood": "bad", "urgency": 3, "topics": ["sale"]}, {}) in events
    asked = server.requests[1]
    assert '"mood"' in asked["messages"][-1]["content"]
    assert asked["tool_choice"] == "none"


@pytest.mark.parametrize(
    ("refuses", "modes"),
    [
        (set[str](), ["json_schema"]),
        ({"response_format"}, ["json_schema", "tool"]),
        ({"response_format", "tool_choice"}, ["json_schema", "tool", "prompt"]),
    ],
)
async def test_the_form_steps_down_to_what_is_taken(server: WireServer, refuses: set[str], modes: list[str]) -> None:
    server.refuses = refuses
    last = answering_call(answer_text()) if modes[-1] == "tool" else saying(answer_text())
    server.script.extend([streaming(last)] * 2)
    model = ChatCompletions("m", Endpoint(server.url, KEY, "x", patience=LONG))
    for _ in range(2):
        events, fault = await answered(model, FORMED)
        assert (said(events), fault) == (SPOKEN, None)
        assert GOOD in events
    await model.close()
    asked = [
        "json_schema" if "response_format" in sent else "tool" if "tools" in sent else "prompt"
        for sent in server.requests
    ]
    assert asked == [*modes, modes[-1]]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, {"message": "This model does not support Structured Outputs."}),
        (404, {"message": "No endpoints found that support the requested parameters", "code": 404}),
        (422, {"message": "no", "metadata": {"raw": "response_format: extra fields not permitted"}}),
        (400, {"message": "Cannot use custom grammar constraints with tools."}),
    ],
)
async def test_the_words_of_a_refused_form(server: WireServer, status: int, error: Any) -> None:
    events, fault = await ask(server, refusing(status, error), streaming(answering_call(answer_text())), request=FORMED)
    assert (said(events), fault) == (SPOKEN, None)


async def test_a_mode_that_was_refused_for_nothing_is_not_remembered(server: WireServer) -> None:
    no = refusing(404, {"message": "No endpoints found that support tool use"})
    server.script.extend([no, no, no, streaming(saying(answer_text()))])
    model = ChatCompletions("m", Endpoint(server.url, KEY, "x", patience=LONG))
    _, fault = await answered(model, FORMED)
    assert fault is not None
    assert fault.kind == "not_found"
    _, fault = await answered(model, FORMED)
    await model.close()
    assert fault is None
    assert "response_format" in server.requests[-1]


async def test_an_agent_that_only_speaks_steps_nowhere(server: WireServer) -> None:
    _, fault = await ask(server, refusing(400, {"message": "response_format"}))
    assert fault is not None
    assert fault.kind == "refused"


async def test_stream_options_are_left_out_where_they_are_refused(server: WireServer) -> None:
    server.refuses = {"stream_options"}
    events, fault = await ask(server, streaming(saying("Hi")))
    assert (said(events), fault) == ("Hi", None)
    assert ["stream_options" in sent for sent in server.requests] == [True, False]


@pytest.mark.parametrize(
    ("given", "offered"),
    [
        (["Yes ", "yes", "", "No", 5, "x" * 41, "a\0b"], ("Yes", "No")),
        (["1", "2", "3", "4", "5"], ("1", "2", "3", "4")),
        ("Yes", None),
        ([], None),
    ],
)
async def test_quick_replies_are_tidied_and_never_asked_for_again(
    server: WireServer, given: Any, offered: tuple[str, ...] | None
) -> None:
    events, fault = await ask(server, streaming(saying(answer_text(quick_replies=given))), request=BARE)
    assert fault is None
    assert [event.choices for event in events if isinstance(event, QuickReplies)] == ([offered] if offered else [])


async def test_what_was_written_is_bounded(server: WireServer) -> None:
    events, _ = await ask(server, streaming(saying("ü\0" * 2**17)))
    raw = next(event.text for event in events if isinstance(event, RawOutput))
    assert 60_000 < len(raw.encode()) <= 2**16
    assert "\0" not in raw


async def test_cached_tokens_and_cost(server: WireServer) -> None:
    told = {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 8}, "cost": 0.00123}
    events, _ = await ask(server, streaming([chunk({"content": "Hi"}), chunk(finish="stop"), chunk(usage=told), DONE]))
    assert UsageReported(9, 2, 8, 1230) in events
    odd = {"prompt_tokens": 9, "completion_tokens": None, "prompt_tokens_details": [], "cost": "dear"}
    events, _ = await ask(server, streaming([chunk({"content": "Hi"}), chunk(finish="stop"), chunk(usage=odd), DONE]))
    assert UsageReported(9, 0) in events
