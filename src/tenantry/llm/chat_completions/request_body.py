"""A model request as the body that the wire wants."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import msgspec

from tenantry.domain.tools import ToolCallRequest, ToolSpec
from tenantry.llm.base import ChatMessage, ModelRequest
from tenantry.llm.chat_completions.answer_form import answer_rules, response_format, wants_form
from tenantry.llm.chat_completions.endpoint import Endpoint

_ROUTER = "openrouter.ai"


def request_body(request: ModelRequest, endpoint: Endpoint) -> bytes:
    """The JSON of `POST …/chat/completions`, streamed and with the usage at its end."""
    formed = wants_form(request.agent)
    body: dict[str, Any] = {
        "model": endpoint.model,
        "messages": list(_messages(request, system_message(request, endpoint))),
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if request.tools:
        body["tools"] = [_tool(spec) for spec in request.tools]
        body["tool_choice"] = "auto"
    if formed and endpoint.structured:
        body["response_format"] = response_format(request.agent)
        if _routes_between_providers(endpoint.base_url):
            # Or it may pick a provider that takes the schema and ignores it.
            body["provider"] = {"require_parameters": True}
    return msgspec.json.encode(body)


def system_message(request: ModelRequest, endpoint: Endpoint) -> str:
    """The system prompt as it is sent: with the rules of the answer, where it has a form."""
    if not wants_form(request.agent):
        return request.system_prompt
    return f"{request.system_prompt}\n\n{answer_rules(request.agent, structured=endpoint.structured)}"


def _routes_between_providers(base_url: str) -> bool:
    host = urlsplit(base_url).hostname or ""
    return host == _ROUTER or host.endswith(f".{_ROUTER}")


def _messages(request: ModelRequest, system: str) -> Iterator[dict[str, Any]]:
    yield {"role": "system", "content": system}
    for message in request.messages:
        yield _message(message)


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
