"""What is sent next when a request was not answered and nothing was said yet."""

from dataclasses import replace

from tenantry.llm.base import ModelFault, ModelRequest
from tenantry.llm.chat_completions.answer_form import wants_form
from tenantry.llm.chat_completions.endpoint import AnswerMode, Dialect
from tenantry.llm.chat_completions.faults import PartRefused
from tenantry.llm.chat_completions.request_body import shortened

_NEXT_MODE: dict[AnswerMode, AnswerMode] = {"json_schema": "tool", "tool": "prompt"}


class Attempts:
    """The request of one step and the dialect it is sent in, adapted to what the provider says of them: each of them
    changes a bounded number of times."""

    def __init__(self, request: ModelRequest, dialect: Dialect) -> None:
        self.request = request
        self.dialect = dialect
        self.learnt: Dialect | None = None  # the dialect, where it is another than it was
        self._repeated = False
        self._shortened = False

    def adapt(self, fault: ModelFault) -> bool:
        """Whether there is something else to send at once instead of what met this fault."""
        if isinstance(fault, PartRefused):
            return self._step_down(fault)
        if fault.kind == "bad_answer" and not self._repeated:
            self._repeated = True
            return True
        if fault.kind == "context_too_long" and not self._shortened:
            self._shortened = True
            shorter = shortened(self.request)
            self.request = shorter or self.request
            return shorter is not None
        return False

    def _step_down(self, fault: PartRefused) -> bool:
        dialect = self.dialect
        mode = _NEXT_MODE.get(dialect.answer_mode)
        if "stream_options" in fault.parts and dialect.stream_options:
            self.dialect = replace(dialect, stream_options=False)
        elif mode and wants_form(self.request.agent) and dialect.answer_mode in fault.parts:
            self.dialect = replace(dialect, answer_mode=mode)
        else:
            return False
        self.learnt = self.dialect
        return True
