"""Tickets of calls and tokens of their sockets: sealed for one purpose, and nothing to whoever alters them."""

from uuid import UUID

import pytest

from tenantry.credentials.call_tickets import SOCKET_TOKEN_LIVES_S, CallTickets, SocketTokens, Ticket, worker_key_of
from tenantry.credentials.master_key import MasterKey
from tenantry.domain.errors import TicketInvalid, Unauthenticated
from tenantry.domain.ids import new_id

MASTER, ANOTHER = MasterKey(b"m" * 32), MasterKey(b"a" * 32)
TENANT, CALL = new_id(), new_id()


def altered(sealed: str) -> list[str]:
    """The same with one character changed, at each of its places, and what is none at all."""
    places = [f"{sealed[:at]}{'B' if sealed[at] == 'A' else 'A'}{sealed[at + 1 :]}" for at in range(len(sealed))]
    return [*places, sealed[:-4], "", "é", "AAAA"]


def test_a_ticket_is_opened_by_its_installation_alone() -> None:
    ticket = Ticket(TENANT, CALL, 7)
    sealed = CallTickets(MASTER).seal(ticket)
    assert CallTickets(MASTER).open(sealed) == ticket
    assert sealed != CallTickets(MASTER).seal(ticket)
    with pytest.raises(TicketInvalid):
        CallTickets(ANOTHER).open(sealed)
    for wrong in (*altered(sealed), SocketTokens(MASTER).seal(TENANT, CALL)):
        with pytest.raises(TicketInvalid):
            CallTickets(MASTER).open(wrong)


def test_a_socket_token_is_of_one_call_for_two_minutes() -> None:
    now = [1_000_000.0]
    sockets = SocketTokens(MASTER, lambda: now[0])
    token = sockets.seal(TENANT, CALL)
    now[0] += SOCKET_TOKEN_LIVES_S
    assert sockets.open(token) == (TENANT, CALL)
    for wrong in (*altered(token), CallTickets(MASTER).seal(Ticket(TENANT, CALL, 1))):
        with pytest.raises(Unauthenticated):
            sockets.open(wrong)
    now[0] += 1
    with pytest.raises(Unauthenticated):
        sockets.open(token)


def test_a_worker_is_who_has_the_key() -> None:
    assert CallTickets(MASTER).is_worker(worker_key_of(MASTER))
    assert not CallTickets(MASTER).is_worker(worker_key_of(ANOTHER))
    given = CallTickets(MASTER, "a key of the settings, of some length")
    assert given.is_worker("a key of the settings, of some length")
    assert not given.is_worker(worker_key_of(MASTER))
    assert not given.is_worker(str(UUID(int=0)))
    assert not given.is_worker("é")
