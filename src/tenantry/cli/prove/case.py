"""A case of the proof: how one route is tried, and what each intruder must get."""

from collections.abc import Callable
from dataclasses import dataclass

from tenantry.cli.prove.http import Request
from tenantry.cli.prove.world import Party
from tenantry.domain.access import Scope

NOT_FOUND = frozenset({404})
FORBIDDEN = frozenset({403})
ONLY_OWN = frozenset({200})
ALLOWED: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Case:
    """One route. `request` reaches for what is the party's. `member` is what another member of the tenant must get when
    the thing is a member's, `tenants` when it is the tenant's own (empty: anything, as it is theirs too), `stranger`
    what another tenant must get. `ONLY_OWN` is an answer that must not hold the victim's. `control` is the status that
    the rightful owner gets, and `shows` a mark of theirs that the owner must then see. Without `tenants_too`, only
    members own what it reaches for. What it shows may be `sealed`: a copy in another tenant's rows does not open."""

    scope: Scope
    request: Callable[[Party], Request]
    member: frozenset[int]
    tenants: frozenset[int]
    stranger: frozenset[int]
    control: int = 200
    shows: Callable[[Party], str] | None = None
    tenants_too: bool = True
    sealed: bool = False


def listing(path: str) -> Callable[[Party], Request]:
    """Ask for the first page of a list."""
    return lambda _: Request("GET", path, {"limit": "100"})


def agent_id(party: Party) -> str:
    """The mark of the party's agent."""
    return str(party.agent_id)


def word(party: Party) -> str:
    """The mark that is in every text of the party's."""
    return party.word
