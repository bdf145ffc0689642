"""Whose connection a request is about."""

from typing import Annotated
from uuid import UUID

from fastapi import Query

from tenantry.domain.access import Principal
from tenantry.domain.errors import Forbidden

Owner = Annotated[
    UUID | None,
    Query(description="Whose it is, for keys of the whole tenant: a member's, else the own member's or the tenant's."),
]


def owner_of(who: Principal, asked: UUID | None) -> UUID | None:
    """The member who is asked for or, without one, whoever asks; None is the tenant. Raises Forbidden for another's."""
    owner = asked or who.member_id
    if not who.may_change(owner):
        raise Forbidden("This key may only use its own member's connections.")
    return owner
