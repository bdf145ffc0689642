"""The codes of bookings, as they are told and as people write them."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantry.credentials.booking_references import BookingReferences
from tenantry.credentials.master_key import ContactHasher, MasterKey
from tenantry.domain.booking_reference import find_reference, read_reference, reference_of
from tenantry.domain.ids import new_id

REFERENCES = BookingReferences(ContactHasher(MasterKey(bytes(32))))


@given(st.integers(0, 2**50 - 1))
def test_every_number_has_a_code_of_its_own_that_reads_as_itself(number: int) -> None:
    code = reference_of(number)
    assert read_reference(code) == read_reference(code.lower().replace("-", " ")) == code
    symbols = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    assert sum(32**place * symbols.index(s) for place, s in enumerate(reversed(code.replace("-", "")))) == number


@pytest.mark.parametrize("written", ["k7qf29md4x", "K7QF 29MD 4X", " k7qf-29md-4x ", "K7QF-29-MD-4X"])
def test_a_code_is_read_however_it_is_written(written: str) -> None:
    assert read_reference(written) == "K7QF-29MD-4X"


def test_letters_that_look_like_digits_are_those() -> None:
    assert read_reference("OoIi-lL00-11") == "0011-1100-11"


@pytest.mark.parametrize("text", ["", "K7QF-29MD-4", "K7QF-29MD-4XX", "K7QF-29MD-4U", "ＫK7QF-29MD-4", "K7QF_29MD_4X"])
def test_other_texts_are_no_code(text: str) -> None:
    assert read_reference(text) is None


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("My code is K7QF-29MD-4X.", "K7QF-29MD-4X"),
        ("it's k7qf 29md 4x, please cancel", "K7QF-29MD-4X"),
        ("Please cancel my appointment tomorrow", None),
        ("basketball court", None),
        ("call me at +1 415 555 0123 45", None),
        ("12 Oak Street, Springfield", None),
    ],
)
def test_a_code_is_found_in_what_somebody_says(said: str, code: str | None) -> None:
    assert find_reference(said) == code


def test_codes_are_of_one_booking_one_tenant_and_one_installation() -> None:
    tenant, booking = new_id(), new_id()
    other = BookingReferences(ContactHasher(MasterKey(b"\1" * 32)))
    codes = [REFERENCES.of(tenant, booking), REFERENCES.of(tenant, new_id()), REFERENCES.of(new_id(), booking)]
    assert len({*codes, other.of(tenant, booking)}) == 4
    assert codes[0] == REFERENCES.of(UUID(str(tenant)), UUID(str(booking)))
    hashes = {REFERENCES.hash(tenant, codes[0]), REFERENCES.hash(new_id(), codes[0]), other.hash(tenant, codes[0])}
    assert len(hashes) == 3
