"""A model request as the body that the wire wants."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import msgspec

from tenantry.domain.tools import ToolCallRequest, ToolSpec
from tenantry.llm.base import ChatMessage, ModelRequest
from tenantry.llm.chat_completions.answer_form import (
    Wanted,
    answer_rules,
    answer_tool,
    asking_again,
    response_format,
    wants_form,
)
from tenantry.llm.chat_completions.endpoint import AnswerMode, Dialect, Endpoint

_ROUTER = "openrouter.ai"
_LONGEST_QUOTE = 300


@dataclass(frozen=True, slots=True)
class Again:
    """What is asked for once more: the answer as the model wrote it, what of it is wanted, what is wrong with it."""

    written: str
    wanted: Wanted
    faults: Mapping[str, str]


def request_body(request: ModelRequest, endpoint: Endpoint, dialect: Dialect, again: Again | None = None) -> bytes:
    """The JSON of `POST …/chat/completions`, streamed and with the usage at its end; with `again` the second request
    of a step, for values of the first one's answer."""
    mode = dialect.answer_mode if wants_form(request.agent) else None
    messages = [{"role": "system", "content": system_message(request, dialect)}, *_messages(request)]
    if again is not None:
        messages.append({"role": "assistant", "content": again.written})
        messages.append({"role": "user", "content": asking_again(again.wanted, again.faults, dialect.answer_mode)})
    body: dict[str, Any] = {"model": endpoint.model, "messages": messages, "stream": True}
    routed = _routes_between_providers(endpoint.base_url)
    if dialect.stream_options:
        body["stream_options"] = {"include_usage": True}
    if routed:
        body["usage"] = {"include": True}
    wanted = again.wanted if again else Wanted.whole(request.agent)
    body |= _tools(request, mode, wanted, asked_again=again is not None)
    if mode == "json_schema":
        body["response_format"] = response_format(wanted)
    if routed and mode in {"json_schema", "tool"}:
        # Or it may pick a provider that takes the form and ignores it.
        body["provider"] = {"require_parameters": True}
    return msgspec.json.encode(body)


def system_message(request: ModelRequest, dialect: Dialect) -> str:
    """The system prompt as it is sent: with the rules of the answer, where it has a form."""
    if not wants_form(request.agent):
        return request.system_prompt
    return f"{request.system_prompt}\n\n{answer_rules(request.agent, dialect.answer_mode)}"


def shortened(request: ModelRequest) -> ModelRequest | None:
    """The request without the older half of what was said before this turn, or None when there is nothing to leave
    out. What answers a call goes with it."""
    users = [at for at, message in enumerate(request.messages) if message.role == "user"]
    before = users[-1] if users else 0
    if not before:
        return None
    start = (before + 1) // 2
    while start < before and request.messages[start].role == "tool":
        start += 1
    return replace(request, messages=request.messages[start:])


def said_so_far(request: ModelRequest) -> str:
    """What another model has said in this turn before it failed, empty when there is nothing to go on from."""
    last = request.messages[-1] if request.messages else None
    goes_on = last is not None and last.role == "assistant" and not last.tool_calls and last.content.strip()
    return last.content if last is not None and goes_on else ""


def _tools(request: ModelRequest, mode: AnswerMode | None, wanted: Wanted, *, asked_again: bool) -> dict[str, Any]:
    tools = [_tool(spec) for spec in request.tools]
    if mode == "tool":
        # What called functions stays in the messages, for which some providers want any function to be there.
        return {"tools": [*([] if asked_again else tools), answer_tool(wanted)], "tool_choice": "required"}
    if not tools:
        return {}
    return {"tools": tools, "tool_choice": "none" if asked_again else "auto"}


def _routes_between_providers(base_url: str) -> bool:
    host = urlsplit(base_url).hostname or ""
    return host == _ROUTER or host.endswith(f".{_ROUTER}")


def _messages(request: ModelRequest) -> Iterator[dict[str, Any]]:
    for message in request.messages:
        if message.role == "assistant" and not message.tool_calls and not message.content.strip():
            continue
        yield _message(message)
    if said := said_so_far(request):
        yield {"role": "user", "content": _go_on(said)}


def _go_on(said: str) -> str:
    quote = said if len(said) <= _LONGEST_QUOTE else f"…{said[-_LONGEST_QUOTE:]}"
    return (
        f"(Not from the contact: your answer broke off after «{quote}», and the contact has heard all of that. Go on "
        "from there with the next words and do not repeat it; only a word that broke off is said whole.)"
    )


def _message(message: ChatMessage) -> dict[str, Any]:
    if message.role == "tool":
        result = message.tool_result
        content = _json(result.output) if result is not None else message.content
        return {"role": "tool", "tool_call_id": message.tool_call_id, "content": content}
    if message.tool_calls:
        return {
            "role": "assistant",
            "content": message.content or None,
            "tool_calls": [_call(call) for call in message.tool_calls],
        }
    return {"role": message.role, "content": message.content}


def _call(call: ToolCallRequest) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": _json(call.arguments)}}


def _tool(spec: ToolSpec) -> dict[str, Any]:
    function = {"name": spec.name, "description": spec.description, "parameters": spec.parameters}
    return {"type": "function", "function": function}


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
