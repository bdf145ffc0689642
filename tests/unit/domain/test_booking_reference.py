"""The codes of bookings, as they are told and as people write them."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantry.credentials.booking_references import BookingReferences
from tenantry.credentials.master_key import ContactHasher, MasterKey
from tenantry.domain.booking_reference import read_reference, reference_of, take_reference
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
    ("said", "asked", "taken"),
    [
        ("Cancel it, my code is K7QF-29MD-4X.", False, ("K7QF-29MD-4X", "Cancel it, my code is  .")),
        ("k7qf 29md 4x", True, ("K7QF-29MD-4X", "")),
        ("K 7 Q F 2 9 M D 4 X", True, ("K7QF-29MD-4X", "")),
        ("k7qf29md4x please", True, ("K7QF-29MD-4X", "please")),
        ("I need 2000 sq feet", False, None),
        ("k7qf 29md 4x", False, None),
        ("Please cancel my appointment tomorrow", True, None),
        ("basketball", True, None),
        ("12 Oak Street, Springfield", True, None),
        ("AK7QF-29MD-4XY", False, None),
    ],
)
def test_a_code_is_taken_out_of_what_somebody_says(said: str, asked: bool, taken: tuple[str, str] | None) -> None:
    assert take_reference(said, asked=asked) == taken


def test_codes_are_of_one_booking_one_tenant_and_one_installation() -> None:
    tenant, booking = new_id(), new_id()
    other = BookingReferences(ContactHasher(MasterKey(b"\1" * 32)))
    codes = [REFERENCES.of(tenant, booking), REFERENCES.of(tenant, new_id()), REFERENCES.of(new_id(), booking)]
    assert len({*codes, other.of(tenant, booking)}) == 4
    assert codes[0] == REFERENCES.of(UUID(str(tenant)), UUID(str(booking)))
    hashes = {REFERENCES.hash(tenant, codes[0]), REFERENCES.hash(new_id(), codes[0]), other.hash(tenant, codes[0])}
    assert len(hashes) == 3
