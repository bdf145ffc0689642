"""One answer as it grows, chunk by chunk, and what it came to."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from tenantry.domain.tools import ToolCallRequest
from tenantry.domain.values import VariableValue
from tenantry.llm.base import FieldsNoted, ModelEvent, ModelFault, ModelRequest, UsageReported, VariableNoted
from tenantry.llm.chat_completions.answer_form import VARIABLES, wants_form
from tenantry.llm.chat_completions.spoken_text import SPOKEN, SpokenText
from tenantry.llm.chat_completions.wire import Chunk, Delta, ToolCallDelta, Usage
from tenantry.llm.typed_values import WrongValue, field_value, variable_value

MAX_TOOL_CALLS = 32
# Models without a strict mode like to fence their JSON.
_FENCE = re.compile(r"`{1,3}(?:json)?\s*", re.IGNORECASE)
_LONGEST_FENCE = 12


@dataclass(slots=True)
class _Call:
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list[str])


class Answer:
    """Puts together what the chunks of one answer say."""

    def __init__(self, name: str, request: ModelRequest) -> None:
        """`name` is the model's, for the faults."""
        self.finish_reason: str | None = None
        self.usage: Usage | None = None
        self.tokens = 0  # chunks that brought a token of any kind
        self._name = name
        self._request = request
        self._lead = ""  # what came before it was clear whether this is JSON
        self._plain = not wants_form(request.agent)
        self._object: SpokenText | None = None
        self._pieces: list[str] = []  # the JSON
        self._said = False
        self._refused = False
        self._calls: dict[int, _Call] = {}

    def take(self, chunk: Chunk) -> str:
        """What this chunk adds to what is said. Raises ModelFault when it asks for too many tools."""
        if chunk.usage is not None:
            self.usage = chunk.usage
        said = ""
        for choice in chunk.choices:
            if choice.delta is not None:
                said += self._take_delta(choice.delta)
            if choice.finish_reason is not None:
                self.finish_reason = choice.finish_reason
        return said

    def _take_delta(self, delta: Delta) -> str:
        if delta.content or delta.tool_calls or delta.reasoning or delta.reasoning_content or delta.refusal:
            self.tokens += 1
        if delta.refusal:
            self._refused = True
        if delta.tool_calls:
            for call in delta.tool_calls:
                self._take_call(call)
        if not delta.content:
            return ""
        said = self._take_content(delta.content)
        self._said = self._said or bool(said)
        return said

    def _take_content(self, piece: str) -> str:
        if self._object is not None:
            self._pieces.append(piece)
            return self._object.feed(piece)
        if self._plain:
            return (piece if self._said else piece.lstrip()).replace("\0", "")
        self._lead += piece
        start = self._lead.lstrip()
        fence = _FENCE.match(start)
        if start[fence.end() if fence else 0 :].startswith("{"):
            self._object = SpokenText()
            self._pieces.append(start[fence.end() if fence else 0 :])
            return self._object.feed(self._pieces[0])
        if not start or (start[0] == "`" and len(start) <= _LONGEST_FENCE):
            return ""
        self._plain = True
        return start.replace("\0", "")

    def _take_call(self, delta: ToolCallDelta) -> None:
        function = delta.function
        index = delta.index
        if index is None:
            # Some providers leave the index out and send each call whole, or its parts one after the other.
            index = len(self._calls) if delta.id or not self._calls else len(self._calls) - 1
        call = self._calls.get(index)
        if call is None:
            if len(self._calls) == MAX_TOOL_CALLS:
                raise self._bad(f"asked for more than {MAX_TOOL_CALLS} tools at once")
            call = self._calls[index] = _Call()
        call.id = call.id or delta.id or ""
        if function is not None:
            call.name += function.name or ""
            call.arguments.append(function.arguments or "")

    def finish(self) -> Iterator[ModelEvent]:
        """What the whole answer holds besides what was said. Raises ModelFault where it is none."""
        if self.finish_reason == "length":
            raise ModelFault("cut", f"{self._name} came to the limit of its tokens before the end of its answer")
        if self._refused or self.finish_reason == "content_filter":
            raise ModelFault("refused", f"{self._name} declined to answer")
        calls = list(self._tool_calls())
        yield from self._noted(calling=bool(calls))
        yield from calls
        if self.usage is not None:
            yield UsageReported(self.usage.prompt_tokens, self.usage.completion_tokens)

    def unsaid(self) -> str:
        """A few characters that were held back as the start of a JSON object and turned out to be all there is."""
        if self._object is not None or self._plain:
            return ""
        self._plain = True
        text = self._lead.strip().replace("\0", "")
        self._said = bool(text)
        return text

    def _noted(self, *, calling: bool) -> Iterator[ModelEvent]:
        values: Mapping[str, Any] = {}
        if self._object is not None:
            try:
                values = self._parsed()
            except ModelFault:
                if not calling:
                    raise
        elif not self._said and not calling:
            raise self._bad("gave an empty answer")
        if not calling and self._object is not None and not self._object.complete:
            raise self._bad(f"gave an answer without {SPOKEN}")
        yield from self._variables(values)
        if self._request.agent.turn_fields and not calling:
            yield self._fields(values)

    def _parsed(self) -> dict[str, Any]:
        try:
            # Not strict: models write raw line breaks into strings. What follows the object is a fence or chatter.
            value, _ = json.JSONDecoder(strict=False).raw_decode("".join(self._pieces))
        except (ValueError, RecursionError):
            raise self._bad("gave an answer that is no JSON") from None
        return cast(dict[str, Any], value)

    def _variables(self, values: Mapping[str, Any]) -> Iterator[VariableNoted]:
        given = values.get(VARIABLES)
        if not isinstance(given, dict):
            return
        for variable in self._request.agent.variables:
            raw = cast(dict[str, Any], given).get(variable.name)
            if raw is None:
                continue
            try:
                value = variable_value(variable, raw, self._request.agent)
            except WrongValue:
                continue
            known = self._request.known.get(variable.name)
            if known is None or known.value != value:
                yield VariableNoted(variable.name, VariableValue(value))

    def _fields(self, values: Mapping[str, Any]) -> FieldsNoted:
        good: dict[str, Any] = {}
        faults: dict[str, str] = {}
        for turn_field in self._request.agent.turn_fields:
            if turn_field.name not in values:
                faults[turn_field.name] = "is missing"
                continue
            try:
                good[turn_field.name] = field_value(turn_field, values[turn_field.name])
            except WrongValue as wrong:
                faults[turn_field.name] = str(wrong)
        return FieldsNoted(good, faults)

    def _tool_calls(self) -> Iterator[ToolCallRequest]:
        for index, call in sorted(self._calls.items()):
            if not call.name:
                raise self._bad("called a tool without a name")
            # An id has to be unique in the messages; some providers give none.
            call_id = call.id or f"call_{len(self._request.messages)}_{index}"
            yield ToolCallRequest(call_id, call.name, self._arguments(call))

    def _arguments(self, call: _Call) -> dict[str, Any]:
        text = "".join(call.arguments).strip() or "{}"
        try:
            value = json.loads(text, strict=False)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise self._bad("called a tool with arguments that are no JSON object")
        return cast(dict[str, Any], value)

    def _bad(self, what: str) -> ModelFault:
        return ModelFault("bad_answer", f"{self._name} {what}")
