"""What callers send is made clean before anything is kept."""

from uuid import uuid4

import pytest

from tenantry.domain.access import Principal, Scope
from tenantry.domain.errors import InvalidInput
from tenantry.domain.tenant import Tenant
from tenantry.engine.inbound import MESSAGE_LIMIT, Inbound, clean_email, clean_message, clean_reference

PRINCIPAL = Principal(Tenant(uuid4(), "t", "T", "UTC", (), None), uuid4(), None, None, frozenset(Scope))


def test_control_characters_go_and_line_breaks_stay() -> None:
    assert clean_message("a\0b\x07c\r\nd\te\ud800") == "abc\nd\te"


def test_a_long_message_is_refused_with_its_limit() -> None:
    assert clean_message("x" * MESSAGE_LIMIT)
    with pytest.raises(InvalidInput, match="8,000"):
        clean_message("x" * (MESSAGE_LIMIT + 1))


@pytest.mark.parametrize(("given", "kept"), [(None, None), ("", None), ("  ", None), (" lead 7 ", "lead 7")])
def test_references_are_trimmed(given: str | None, kept: str | None) -> None:
    assert clean_reference("leadId", given) == kept


@pytest.mark.parametrize("given", ["a\0b", "x" * 201, "a\nb", "\ud800"])
def test_references_that_cannot_be_kept_are_refused(given: str) -> None:
    with pytest.raises(InvalidInput) as told:
        clean_reference("leadId", given)
    assert told.value.errors[0].field == "leadId"


def test_addresses_are_normalised() -> None:
    assert clean_email("leadEmail", " Mark@Peterei.EXAMPLE ") == "mark@peterei.example"
    with pytest.raises(InvalidInput):
        clean_email("leadEmail", "mark at peterei")


def test_the_fingerprint_tells_requests_apart() -> None:
    one = Inbound(PRINCIPAL, "http", "hello", lead_id="a")
    assert one.fingerprint() == Inbound(PRINCIPAL, "http", "hello", lead_id="a").fingerprint()
    assert one.fingerprint() != Inbound(PRINCIPAL, "http", "hello", lead_email="a").fingerprint()
    assert one.fingerprint() != Inbound(PRINCIPAL, "http", "hello", lead_id="a", topic="x").fingerprint()
