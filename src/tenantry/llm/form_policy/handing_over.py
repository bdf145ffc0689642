"""Hands the conversation over to who was asked for."""

from tenantry.domain.agent import Variable, VariableType
from tenantry.domain.tools import ToolResult
from tenantry.llm.form_policy.message import Message
from tenantry.llm.form_policy.turn import HAND_OFF, Turn

# The name of a purpose alone may be the answer to a question after one of these.
_WORDED = frozenset({VariableType.TEXT, VariableType.CHOICE, VariableType.NAME, VariableType.ADDRESS})


def heard_hand_off(turn: Turn, message: Message, asked: Variable | None) -> bool:
    """Call for whoever the contact asks for, where the agent may hand over to them; whether it was asked."""
    function = next((f for f in turn.agent.enabled_functions() if f.name == HAND_OFF), None)
    if function is None or HAND_OFF not in turn.tools:
        return False
    bare = asked is None or asked.type not in _WORDED
    purpose = turn.language.asked_purpose(message.original, function.purposes, bare)
    if purpose is not None:
        turn.ask_tool(HAND_OFF, {"purpose": purpose})
    return purpose is not None


def told_hand_off(turn: Turn, result: ToolResult) -> None:
    """Say who goes on, or that nobody can."""
    if result.done:
        turn.say("handed_over", agent=str(result.output.get("agent", "")))
    else:
        turn.say("nobody_there")
