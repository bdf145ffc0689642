"""One answer as it grows, chunk by chunk, and what it came to."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from tenantry.domain.tools import ToolCallRequest
from tenantry.llm.base import ModelEvent, ModelFault, ModelRequest, RawOutput, UsageReported
from tenantry.llm.chat_completions.answer_form import ANSWER_TOOL, wants_form
from tenantry.llm.chat_completions.continuation import Continuation
from tenantry.llm.chat_completions.request_body import said_so_far
from tenantry.llm.chat_completions.spoken_text import SPOKEN, SpokenText
from tenantry.llm.chat_completions.wire import Chunk, Delta, ToolCallDelta, Usage

MAX_TOOL_CALLS = 32
MAX_RAW_BYTES = 64 * 2**10
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
        self._formed = wants_form(request.agent)
        self._plain = not self._formed
        self._lead = ""  # what came before it was clear whether this is JSON
        self._object: SpokenText | None = None
        self._content: list[str] = []
        self._calls: dict[int, _Call] = {}
        self._answer_call: _Call | None = None  # the one that is the answer, not the agent's
        said = said_so_far(request)
        self._goes_on = bool(said)
        self._seam = Continuation(said) if said else None
        self._said = False
        self._refused = False

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
        said = ""
        if delta.content:
            self._content.append(delta.content)
            said = self._speak(self._take_content(delta.content))
        if delta.tool_calls:
            for call in delta.tool_calls:
                said += self._take_call(call)
        return said

    def _speak(self, text: str) -> str:
        text = text if self._said else text.lstrip()
        if not text:
            return ""
        self._said = True
        return text if self._seam is None else self._seam.feed(text)

    def _take_content(self, piece: str) -> str:
        if self._answer_call is not None:
            return ""
        if self._object is not None:
            return self._object.feed(piece)
        if self._plain:
            return piece.replace("\0", "")
        self._lead += piece
        start = self._lead.lstrip()
        fence = _FENCE.match(start)
        if start[fence.end() if fence else 0 :].startswith("{"):
            self._object = SpokenText()
            return self._object.feed(start[fence.end() if fence else 0 :])
        if not start or (start[0] == "`" and len(start) <= _LONGEST_FENCE):
            return ""
        self._plain = True
        return start.replace("\0", "")

    def _take_call(self, delta: ToolCallDelta) -> str:
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
        if function is None:
            return ""
        call.name += function.name or ""
        call.arguments.append(function.arguments or "")
        if call is self._answer_call and self._object is not None:
            return self._speak(self._object.feed(call.arguments[-1]))
        if self._formed and call.name == ANSWER_TOOL and self._answer_call is None:
            return self._begin_answer(call)
        return ""

    def _begin_answer(self, call: _Call) -> str:
        """The answer comes as a call; what was written before it may come once more in it."""
        before, content = "", "".join(self._content)
        said = SpokenText().feed(content) if self._object is not None else content
        if said.strip():
            before = self.unsaid()
            self._seam = Continuation(said)
        self._answer_call = call
        self._object = SpokenText()
        return before + self._speak(self._object.feed("".join(call.arguments)))

    def unsaid(self) -> str:
        """What was held back, at the end: a few characters that might have begun a JSON object, or what might have
        been said again."""
        text = ""
        if self._object is None and not self._plain:
            self._plain = True
            text = self._speak(self._lead.strip().replace("\0", ""))
        return text + self._seam.end() if self._seam is not None else text

    @property
    def said_whole(self) -> bool:
        """Whether all that is said has come and no tool is called: what went wrong after that is no loss."""
        return self._said and self._object is not None and self._object.complete and not self._own_calls()

    def check(self) -> None:
        """Raises ModelFault where the finished answer is none."""
        if self._refused:
            raise ModelFault("refused", f"{self._name} declined to answer")
        if not self.said_whole:
            if self.finish_reason == "length":
                raise ModelFault("cut", f"{self._name} came to the limit of its tokens before the end of its answer")
            if self.finish_reason == "content_filter":
                raise ModelFault("refused", f"{self._name} declined to answer")
        calls = self.tool_calls()
        if calls or self._said or (self._goes_on and self._object is not None and self._object.complete):
            return
        if self._object is None:
            raise self._bad("gave an empty answer")
        raise self._bad("gave an answer that is no JSON" if self.values() is None else f"gave no {SPOKEN}")

    def account(self) -> Iterator[ModelEvent]:
        """What the model wrote and what it cost, as far as the answer came."""
        written = "\n".join(
            filter(None, ("".join(self._content), *(f"{c.name} {''.join(c.arguments)}" for c in self._calls.values())))
        )
        if written:
            cut = written[:MAX_RAW_BYTES].replace("\0", "\ufffd").encode(errors="replace")[:MAX_RAW_BYTES]
            yield RawOutput(cut.decode(errors="ignore"))
        if self.usage is not None:
            yield UsageReported(
                self.usage.prompt_tokens or 0,
                self.usage.completion_tokens or 0,
                self.usage.cached_tokens,
                self.usage.cost_micros,
            )

    @property
    def written(self) -> str:
        """The answer itself as the model wrote it, at most 64 Ki characters of it."""
        pieces = self._content if self._answer_call is None else self._answer_call.arguments
        return "".join(pieces)[:MAX_RAW_BYTES]

    def values(self) -> dict[str, Any] | None:
        """The answer's JSON object, or None when it is none."""
        if self._object is None:
            return None
        text = "".join(self._content if self._answer_call is None else self._answer_call.arguments)
        try:
            # Not strict: models write raw line breaks into strings. What follows the object is a fence or chatter.
            value, _ = json.JSONDecoder(strict=False).raw_decode(text, text.index("{"))
        except (ValueError, RecursionError):
            return None
        return cast(dict[str, Any], value)

    def tool_calls(self) -> list[ToolCallRequest]:
        """The calls of the agent's tools. Raises ModelFault when one of them is none."""
        calls: list[ToolCallRequest] = []
        for index, call in self._own_calls():
            if not call.name:
                raise self._bad("called a tool without a name")
            # An id has to be unique in the messages; some providers give none.
            call_id = call.id or f"call_{len(self._request.messages)}_{index}"
            calls.append(ToolCallRequest(call_id, call.name, self._arguments(call)))
        return calls

    def _own_calls(self) -> list[tuple[int, _Call]]:
        return [
            (index, call)
            for index, call in sorted(self._calls.items())
            if not (self._formed and call.name == ANSWER_TOOL)
        ]

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
