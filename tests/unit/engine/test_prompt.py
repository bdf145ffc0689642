"""What a prompt tells of the turn."""

from datetime import UTC, datetime

import pytest

from tenantry.domain.agent import AgentDefinition
from tenantry.engine.prompt import Moment, system_prompt

NOW = datetime(2026, 11, 24, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "told"),
    [
        (None, "# Contact\nReached over chat; new.\n"),
        ("America/New_York", "# Contact\nReached over chat; new; in the time zone America/New_York.\n"),
    ],
)
def test_the_contacts_zone_is_told_where_it_is_known(zone: str | None, told: str) -> None:
    moment = Moment(NOW, {}, "chat", contact_time_zone=zone)
    assert told in system_prompt("", AgentDefinition(name="Agent"), moment)


def test_a_call_is_told_to_be_one_and_that_it_was_greeted() -> None:
    spoken = system_prompt("", AgentDefinition(name="Support"), Moment(NOW, {}, "voice"))
    assert "You are on the phone" in spoken
    assert "You said: Hello, this is Support." in spoken
    assert "greet" not in system_prompt("", AgentDefinition(name="Support"), Moment(NOW, {}, "chat"))
