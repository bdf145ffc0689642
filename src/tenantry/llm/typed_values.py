"""Values that a model sends, checked and brought into the JSON form of their type; pure."""

import math
import re
from collections.abc import Callable
from datetime import datetime, time
from typing import Any, cast
from zoneinfo import ZoneInfo

from tenantry.domain.agent import AgentDefinition, TurnField, TurnFieldType, Variable, VariableType
from tenantry.domain.storable import is_storable
from tenantry.domain.wall_time import parse_date
from tenantry.llm.form_policy.readers.amounts import currency_of
from tenantry.llm.form_policy.readers.contacts import normal_email, normal_phone

_LARGEST = 1e15
_LONGEST = {VariableType.NAME: 200, VariableType.ADDRESS: 500, VariableType.EMAIL: 320, VariableType.PHONE: 40}
_LONGEST_TEXT = 2000
_LONGEST_LIST = 100
_CURRENCY = re.compile(r"[A-Za-z]{3}")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::00(?:\.0+)?)?")
_DATE_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::00(?:\.0+)?)?(?:Z|[+-]\d{2}:?\d{2})?", re.IGNORECASE)


class WrongValue(ValueError):
    """A value is not of its type; the text says in a few words what is wrong, and never the value itself."""


def variable_value(variable: Variable, value: object, agent: AgentDefinition) -> Any:
    """The value in the JSON form of the variable's type (`domain.agent.VariableType`).

    Raises WrongValue. Phone numbers and money without a prefix belong to the agent's region; a moment with an offset
    is brought to the agent's zone.
    """
    return _READ[variable.type](variable, value, agent)


def field_value(turn_field: TurnField, value: object) -> Any:
    """The value in the JSON form of the field's type (`domain.agent.TurnFieldType`). Raises WrongValue."""
    match turn_field.type:
        case TurnFieldType.TEXT:
            return _text(value, _LONGEST_TEXT)
        case TurnFieldType.NUMBER:
            return _in_range(_number(value), turn_field.minimum, turn_field.maximum)
        case TurnFieldType.CHOICE:
            return _choice(value, turn_field.choices)
        case TurnFieldType.YES_NO:
            return _yes_no(value)
        case TurnFieldType.LIST:
            return _list(value, turn_field.choices)


def _text(value: object, longest: int) -> str:
    if not isinstance(value, str):
        raise WrongValue("is not text")
    text = value.strip()
    if not text:
        raise WrongValue("is empty")
    if len(text) > longest:
        raise WrongValue(f"has more than {longest} characters")
    if not is_storable(text):
        raise WrongValue("holds a character that is none")
    return text


def _number(value: object) -> float | int:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise WrongValue("is not a number")
    if not abs(value) <= _LARGEST:
        raise WrongValue("is too large a number")
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _in_range(value: float | int, low: float | None, high: float | None) -> float | int:
    if not (-math.inf if low is None else low) <= value <= (math.inf if high is None else high):
        raise WrongValue("is out of range")
    return value


def _yes_no(value: object) -> bool:
    if not isinstance(value, bool):
        raise WrongValue("is not true or false")
    return value


def _choice(value: object, choices: tuple[str, ...]) -> str:
    if value in choices:
        return cast(str, value)
    if isinstance(value, str):
        said = value.strip().casefold()
        for choice in choices:
            if choice.casefold() == said:
                return choice
    raise WrongValue("is none of the choices")


def _list(value: object, choices: tuple[str, ...]) -> list[str]:
    if not isinstance(value, list):
        raise WrongValue("is not a list")
    items = cast(list[object], value)
    if len(items) > _LONGEST_LIST:
        raise WrongValue(f"has more than {_LONGEST_LIST} items")
    return [_choice(item, choices) if choices else _text(item, _LONGEST_TEXT) for item in items]


def _short_text(variable: Variable, value: object, _: AgentDefinition) -> str:
    return _text(value, _LONGEST.get(variable.type, _LONGEST_TEXT))


def _email(variable: Variable, value: object, agent: AgentDefinition) -> str:
    found = normal_email(_short_text(variable, value, agent))
    if found is None:
        raise WrongValue("is no e-mail address")
    return found


def _phone(variable: Variable, value: object, agent: AgentDefinition) -> str:
    found = normal_phone(_short_text(variable, value, agent), agent.region)
    if found is None:
        raise WrongValue("is no whole phone number")
    return found


def _money(_: Variable, value: object, agent: AgentDefinition) -> dict[str, Any]:
    parts: dict[str, object] = cast(dict[str, object], value) if isinstance(value, dict) else {"amount": value}
    amount, currency = _number(parts.get("amount")), parts.get("currency")
    if currency is None or currency == "":
        return {"amount": amount, "currency": currency_of(agent.region)}
    if not isinstance(currency, str) or not _CURRENCY.fullmatch(currency):
        raise WrongValue("has no three-letter currency code")
    return {"amount": amount, "currency": currency.upper()}


def _date(_: Variable, value: object, __: AgentDefinition) -> str:
    try:
        found = parse_date(value.strip()) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None:
        raise WrongValue("is no date such as 2026-11-24")
    return found.isoformat()


def _time(_: Variable, value: object, __: AgentDefinition) -> str:
    found = _CLOCK.fullmatch(value.strip()) if isinstance(value, str) else None
    try:
        if found:
            return time(int(found[1]), int(found[2])).isoformat("minutes")
    except ValueError:
        pass
    raise WrongValue("is no time of day such as 15:00")


def _datetime(_: Variable, value: object, agent: AgentDefinition) -> str:
    try:
        if isinstance(value, str) and _DATE_TIME.fullmatch(value.strip()):
            found = datetime.fromisoformat(value.strip().upper())
            if found.tzinfo is not None:
                found = found.astimezone(ZoneInfo(agent.time_zone)).replace(tzinfo=None)
            return found.isoformat(timespec="minutes")
    except (ValueError, OverflowError):
        pass
    raise WrongValue("is no date and time such as 2026-11-24T15:00")


_READ: dict[VariableType, Callable[[Variable, object, AgentDefinition], Any]] = {
    VariableType.TEXT: _short_text,
    VariableType.NAME: _short_text,
    VariableType.ADDRESS: _short_text,
    VariableType.EMAIL: _email,
    VariableType.PHONE: _phone,
    VariableType.NUMBER: lambda _, value, __: _number(value),
    VariableType.MONEY: _money,
    VariableType.DATE: _date,
    VariableType.TIME: _time,
    VariableType.DATETIME: _datetime,
    VariableType.CHOICE: lambda variable, value, _: _choice(value, variable.choices),
    VariableType.YES_NO: lambda _, value, __: _yes_no(value),
}
