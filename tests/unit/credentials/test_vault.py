"""What was sealed opens in its own place only, and only as it was."""

from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantry.credentials.key_ring import KeyRing
from tenantry.credentials.master_key import MasterKey
from tenantry.credentials.vault import Binding, Vault
from tenantry.domain.errors import SealedValueUnreadable
from tenantry.domain.ids import new_id

MASTER = MasterKey(bytes(range(32)))
VAULT = Vault(KeyRing([MASTER]))
PLACE = Binding(new_id(), new_id(), "secret", new_id())
PLAIN = b"sk-what-nobody-may-see"


@given(
    st.builds(Binding, st.uuids(), st.none() | st.uuids(), st.text(max_size=20), st.uuids()), st.binary(max_size=5000)
)
def test_what_was_sealed_can_be_opened(place: Binding, plain: bytes) -> None:
    assert VAULT.open(place, VAULT.seal(place, plain)) == plain


OTHER_PLACES = (
    replace(PLACE, tenant_id=new_id()),
    replace(PLACE, member_id=new_id()),
    replace(PLACE, member_id=None),
    replace(PLACE, member_id=UUID(int=0)),
    replace(PLACE, kind="provider"),
    replace(PLACE, kind=""),
    replace(PLACE, row_id=new_id()),
    replace(PLACE, tenant_id=PLACE.row_id, row_id=PLACE.tenant_id),
)


@pytest.mark.parametrize("place", OTHER_PLACES)
def test_it_opens_in_no_other_place(place: Binding) -> None:
    with pytest.raises(SealedValueUnreadable):
        VAULT.open(place, VAULT.seal(PLACE, PLAIN))
    with pytest.raises(SealedValueUnreadable):
        VAULT.open(PLACE, VAULT.seal(place, PLAIN))


def test_the_tenants_place_is_no_members_place() -> None:
    tenants, zero = replace(PLACE, member_id=None), replace(PLACE, member_id=UUID(int=0))
    with pytest.raises(SealedValueUnreadable):
        VAULT.open(zero, VAULT.seal(tenants, PLAIN))


def test_no_byte_of_it_can_be_changed_or_left_out() -> None:
    sealed = VAULT.seal(PLACE, PLAIN)
    for index in range(len(sealed)):
        altered = sealed[:index] + bytes([sealed[index] ^ 1]) + sealed[index + 1 :]
        with pytest.raises(SealedValueUnreadable):
            VAULT.open(PLACE, altered)
        with pytest.raises(SealedValueUnreadable):
            VAULT.open(PLACE, sealed[:index])
    with pytest.raises(SealedValueUnreadable):
        VAULT.open(PLACE, sealed + b"\x00")


def test_the_parts_of_two_sealed_values_cannot_be_mixed() -> None:
    one, two = VAULT.seal(PLACE, PLAIN), VAULT.seal(PLACE, PLAIN)
    assert one != two
    # Cuts nearer to an end may by chance leave one of the two as it was.
    for cut in range(21, len(one) - 12):
        with pytest.raises(SealedValueUnreadable):
            VAULT.open(PLACE, one[:cut] + two[cut:])


def test_another_installation_cannot_open_it_and_a_retired_key_can() -> None:
    sealed, newer = VAULT.seal(PLACE, PLAIN), MasterKey(bytes(32))
    with pytest.raises(SealedValueUnreadable):
        Vault(KeyRing([newer])).open(PLACE, sealed)
    rotated = Vault(KeyRing([newer, MASTER]))
    assert rotated.open(PLACE, sealed) == PLAIN
    assert sealed.startswith(VAULT.header())
    assert not sealed.startswith(rotated.header())
    again = rotated.seal(PLACE, PLAIN)
    assert again.startswith(rotated.header())
    with pytest.raises(SealedValueUnreadable):
        VAULT.open(PLACE, again)


def test_nothing_of_it_is_shown() -> None:
    sealed = VAULT.seal(PLACE, PLAIN)
    assert PLAIN not in sealed
    assert "sk-" not in repr(VAULT) + repr(sealed) + repr(PLACE)
    with pytest.raises(SealedValueUnreadable) as caught:
        VAULT.open(replace(PLACE, row_id=new_id()), sealed)
    assert "sk-" not in str(caught.value)
    assert caught.value.__cause__ is None
