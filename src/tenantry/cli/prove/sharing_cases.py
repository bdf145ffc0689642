"""How to try the routes of clones, templates, sharing and members."""

from collections.abc import Callable

from tenantry.cli.prove.case import ALLOWED, FORBIDDEN, NOT_FOUND, ONLY_OWN, Case, listing, word
from tenantry.cli.prove.http import Request
from tenantry.cli.prove.world import Party
from tenantry.domain.access import Scope

_BUILT_IN = "/api/v1/templates/support"


def _agent(method: str, suffix: str, body: dict[str, object] | None = None) -> Callable[[Party], Request]:
    return lambda party: Request(method, f"/api/v1/agents/{party.agent_id}{suffix}", body=body)


def _clone(method: str, suffix: str, body: dict[str, object] | None = None) -> Callable[[Party], Request]:
    return lambda party: Request(method, f"/api/v1/agents/{party.clone_id}{suffix}", body=body)


def _share(method: str, body: dict[str, object] | None = None) -> Callable[[Party], Request]:
    return lambda party: Request(method, f"/api/v1/agents/{party.clone_id}/shares/{party.colleague_id}", body=body)


def _keep_owner(party: Party) -> Request:
    owner = str(party.member_id) if party.member_id else None
    return Request("POST", f"/api/v1/agents/{party.clone_id}/owner", body={"member_id": owner})


def _clone_built_in(party: Party) -> Request:
    return Request("POST", f"{_BUILT_IN}/clones", body={"owner_member_id": str(party.member_id)})


def _update_built_in(_: Party) -> Request:
    return Request("POST", f"{_BUILT_IN}/clones/update", body={})


def _hand_over(party: Party) -> Request:
    # Of somebody who owns nothing, so that the parties keep what is tried after this.
    return Request("POST", f"/api/v1/members/{party.colleague_id}/hand-over", body={"to": None})


def _colleague_id(party: Party) -> str:
    return str(party.colleague_id)


SHARING_CASES: dict[str, Case] = {
    "POST /api/v1/agents/{agent_id}/clones": Case(
        Scope.AGENTS_WRITE, _agent("POST", "/clones", {}), NOT_FOUND, ALLOWED, NOT_FOUND, control=201
    ),
    "GET /api/v1/agents/{agent_id}/origin": Case(
        Scope.AGENTS_READ, _clone("GET", "/origin"), NOT_FOUND, ALLOWED, NOT_FOUND, shows=word
    ),
    "POST /api/v1/agents/{agent_id}/origin/update": Case(
        Scope.AGENTS_WRITE, _clone("POST", "/origin/update", {}), NOT_FOUND, FORBIDDEN, NOT_FOUND
    ),
    # Whoever may see an agent updates those clones of it that are theirs.
    "POST /api/v1/agents/{agent_id}/clones/update": Case(
        Scope.AGENTS_WRITE, _agent("POST", "/clones/update", {}), NOT_FOUND, ALLOWED, NOT_FOUND, shows=word
    ),
    "GET /api/v1/agents/{agent_id}/shares": Case(
        Scope.AGENTS_READ, _clone("GET", "/shares"), NOT_FOUND, FORBIDDEN, NOT_FOUND, shows=_colleague_id
    ),
    "PUT /api/v1/agents/{agent_id}/shares/{member_id}": Case(
        Scope.AGENTS_WRITE, _share("PUT", {"permission": "use"}), NOT_FOUND, FORBIDDEN, NOT_FOUND
    ),
    "DELETE /api/v1/agents/{agent_id}/shares/{member_id}": Case(
        Scope.AGENTS_WRITE, _share("DELETE"), NOT_FOUND, FORBIDDEN, NOT_FOUND, control=204
    ),
    "POST /api/v1/agents/{agent_id}/owner": Case(
        Scope.AGENTS_WRITE, _keep_owner, NOT_FOUND, FORBIDDEN, NOT_FOUND, shows=word
    ),
    "PUT /api/v1/agents/{agent_id}/template": Case(
        Scope.AGENTS_WRITE,
        _clone("PUT", "/template", {"is_template": False}),
        FORBIDDEN,
        FORBIDDEN,
        frozenset({403, 404}),
    ),
    # A tenant's templates are for all of its members.
    "GET /api/v1/templates": Case(Scope.AGENTS_READ, listing("/api/v1/templates"), ALLOWED, ALLOWED, ONLY_OWN),
    # What comes with the product is for everybody who has a key.
    "GET /api/v1/templates/{name}": Case(
        Scope.AGENTS_READ, lambda _: Request("GET", _BUILT_IN), ALLOWED, ALLOWED, ALLOWED
    ),
    "POST /api/v1/templates/{name}/clones": Case(
        Scope.AGENTS_WRITE, _clone_built_in, FORBIDDEN, ALLOWED, frozenset({403, 422}), control=201, tenants_too=False
    ),
    "POST /api/v1/templates/{name}/clones/update": Case(
        Scope.AGENTS_WRITE,
        _update_built_in,
        ONLY_OWN,
        ALLOWED,
        ONLY_OWN,
    ),
    "GET /api/v1/members": Case(
        Scope.AGENTS_READ, listing("/api/v1/members"), FORBIDDEN, FORBIDDEN, frozenset({200, 403}), shows=_colleague_id
    ),
    "POST /api/v1/members/{member_id}/hand-over": Case(
        Scope.AGENTS_WRITE, _hand_over, FORBIDDEN, FORBIDDEN, frozenset({403, 404}), tenants_too=False
    ),
}
