"""A contact in another zone than the agent's: wall times are theirs, and both are told."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tenantry.domain.agent import AgentDefinition, Function, Variable, VariableType
from tests.unit.llm.form_policy.talking import Talk

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
AGENT = AgentDefinition(name="Agent", time_zone=BERLIN, functions=(Function("set_appointment"),))
# Saturday, half past nine in the evening in New York, and Sunday in Berlin.
NOW = datetime(2026, 11, 22, 3, 30, tzinfo=ZoneInfo(BERLIN))


def both(wall: str) -> dict[str, str]:
    """What the tools tell of a wall time in New York."""
    start = datetime.fromisoformat(wall).replace(tzinfo=ZoneInfo(NEW_YORK))
    ours = start.astimezone(ZoneInfo(BERLIN))
    return {"start": ours.isoformat(timespec="minutes"), "contact_start": start.isoformat(timespec="minutes")}


def book(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    zones = {"time_zone": BERLIN, "contact_time_zone": NEW_YORK}
    return {"status": "booked", "booking_id": "b1", **both(arguments["start"]), **zones}


def check(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    starts = [both(f"2026-11-24T{hour:02d}:00") for hour in (4, 5, 20)]
    return {
        "status": "ok",
        "free": [s["start"] for s in starts],
        "contact_free": [s["contact_start"] for s in starts],
        "time_zone": BERLIN,
        "contact_time_zone": NEW_YORK,
    }


@pytest.fixture
def talk() -> Talk:
    """A contact in New York with an agent in Berlin."""
    return Talk(AGENT, {"set_appointment": book, "check_availability": check}, NOW, NEW_YORK)


async def test_a_time_is_the_contacts_and_told_in_both_zones(talk: Talk) -> None:
    said = await talk.say("Please book me for Tuesday at 9 am")
    assert talk.called("set_appointment")[0]["start"] == "2026-11-24T09:00"
    assert "Tuesday, November 24 at 9:00 am your time (America/New_York), 3:00 pm Berlin time." in said
    assert "9:00 am your time (America/New_York), 3:00 pm Berlin time" in await talk.say("When is my appointment?")


async def test_tomorrow_is_the_contacts(talk: Talk) -> None:
    await talk.say("Please book me for tomorrow at 9 am")
    assert talk.called("set_appointment")[0]["start"] == "2026-11-22T09:00"


async def test_offers_are_told_in_both_zones_and_chosen_in_the_contacts(talk: Talk) -> None:
    offered = await talk.say("What times are free on Tuesday?")
    theirs, ours = "4:00 am, 5:00 am or 8:00 pm", "10:00 am, 11:00 am or Wednesday, November 25 at 2:00 am"
    assert f"Tuesday, November 24 at {theirs} your time (America/New_York), {ours} Berlin time" in offered
    await talk.say("the one at 5 am")
    assert talk.called("set_appointment")[0]["start"] == "2026-11-24T05:00"


async def test_variables_stay_in_the_agents_zone(talk: Talk) -> None:
    when = Variable("visit", VariableType.DATETIME, required=False)
    talk.agent = replace(AGENT, variables=(when,), functions=(Function("set_appointment", variables=("visit",)),))
    await talk.say("Please book me for Tuesday at 9 am")
    assert talk.value("visit") == "2026-11-24T15:00"
    assert talk.called("set_appointment")[0]["visit"] == "2026-11-24T15:00"


async def test_a_contact_who_travels_has_the_same_appointment(talk: Talk) -> None:
    await talk.say("Please book me for Tuesday at 9 am")
    talk.contact_time_zone = "America/Los_Angeles"
    said = await talk.say("When is my appointment?")
    assert "6:00 am your time (America/Los_Angeles), 3:00 pm Berlin time" in said


async def test_in_one_zone_one_time_is_told(talk: Talk) -> None:
    talk.contact_time_zone = None
    talk.tools = {
        "set_appointment": lambda a: {"status": "booked", "start": f"{a['start']}+01:00", "time_zone": BERLIN}
    }
    assert "at 9:00 am (Berlin time)" in await talk.say("Please book me for Tuesday at 9 am")
