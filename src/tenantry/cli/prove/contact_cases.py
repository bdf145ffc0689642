"""How to try the routes of contacts, of retention and of the export."""

from collections.abc import Callable

from tenantry.cli.prove.case import ALLOWED, FORBIDDEN, NOT_FOUND, ONLY_OWN, Case, listing, word
from tenantry.cli.prove.http import Request
from tenantry.cli.prove.world import Party
from tenantry.domain.access import Scope

_PATH = "/api/v1/contacts"


def _contact(
    method: str, suffix: str = "", *, spare: bool = False, body: dict[str, object] | None = None
) -> Callable[[Party], Request]:
    def request(party: Party) -> Request:
        of = party.spare_contact_id if spare else party.contact_id
        return Request(method, f"{_PATH}/{of}{suffix}", body=body)

    return request


def _find(party: Party) -> Request:
    return Request("POST", f"{_PATH}/find", body={"leadId": party.lead_id})


def _contact_id(party: Party) -> str:
    return str(party.contact_id)


def _retention(_: Party) -> Request:
    return Request("PUT", "/api/v1/retention", body={"contacts": {"archive_after_days": 900}})


def _export(_: Party) -> Request:
    return Request("GET", "/api/v1/export")


# Deleting comes last, as the control really does it.
CONTACT_CASES: dict[str, Case] = {
    f"GET {_PATH}": Case(Scope.CONTACTS_READ, listing(_PATH), ONLY_OWN, ALLOWED, ONLY_OWN, shows=_contact_id),
    f"POST {_PATH}/find": Case(Scope.CONTACTS_READ, _find, NOT_FOUND, ALLOWED, NOT_FOUND, shows=_contact_id),
    f"GET {_PATH}/{{contact_id}}": Case(
        Scope.CONTACTS_READ, _contact("GET"), NOT_FOUND, ALLOWED, NOT_FOUND, shows=_contact_id
    ),
    f"PUT {_PATH}/{{contact_id}}/tags": Case(
        Scope.CONTACTS_WRITE, _contact("PUT", "/tags", body={"tags": ["tried"]}), NOT_FOUND, ALLOWED, NOT_FOUND
    ),
    "GET /api/v1/retention": Case(Scope.CONTACTS_READ, listing("/api/v1/retention"), ALLOWED, ALLOWED, ONLY_OWN),
    "PUT /api/v1/retention": Case(Scope.CONTACTS_WRITE, _retention, FORBIDDEN, FORBIDDEN, frozenset({200, 403})),
    # What others export is their own: `exports.attack` looks into it.
    "GET /api/v1/export": Case(Scope.TENANT_EXPORT, _export, FORBIDDEN, FORBIDDEN, ALLOWED, shows=word),
    f"DELETE {_PATH}/{{contact_id}}": Case(
        Scope.CONTACTS_WRITE, _contact("DELETE", spare=True), FORBIDDEN, FORBIDDEN, frozenset({403, 404})
    ),
}
