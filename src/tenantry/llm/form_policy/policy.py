"""The form policy as a model."""

from collections.abc import AsyncGenerator
from dataclasses import replace

from tenantry.llm.base import FieldsNoted, ModelEvent, ModelRequest
from tenantry.llm.form_policy.dialogue import hear_message, hear_results
from tenantry.llm.form_policy.languages import load_language
from tenantry.llm.form_policy.slow_dates import warm_up
from tenantry.llm.form_policy.turn import Turn
from tenantry.llm.form_policy.turn_fields import fields_of


class FormPolicy:
    """Fills the agent's form and calls its functions; pure and deterministic, with no model behind it."""

    def __init__(self) -> None:
        """Load the words of the languages that agents have by default, so that the first message is not slow."""
        load_language("en")
        warm_up("en")

    @property
    def name(self) -> str:
        """How settings, the API and the records name the model."""
        return "form-policy"

    def prompt(self, request: ModelRequest) -> str:
        """None: it reads the agent's definition."""
        return ""

    async def respond(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        """One step: the message, or the results of tools, that `request` ends with."""
        if request.messages and request.messages[-1].role == "assistant":
            # What another model said of this turn before it failed.
            request = replace(request, messages=request.messages[:-1])
        turn = Turn(request)
        last = request.messages[-1] if request.messages else None
        if last is not None and last.role == "tool":
            hear_results(turn)
        else:
            hear_message(turn, last.content if last is not None else "")
        for event in turn.events():
            yield event
        if turn.call is None and (fields := fields_of(turn)):
            yield FieldsNoted(fields, {})
