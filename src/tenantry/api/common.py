"""What every feature of the API shares: paging, the way to the database, and whom a request may name."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import Depends, Query, Request
from pydantic import BaseModel, ConfigDict

from tenantry.domain.errors import FieldError, InvalidInput
from tenantry.engine.resources import Resources
from tenantry.engine.turn import Engine
from tenantry.llm.registry import Models
from tenantry.settings import Settings
from tenantry.storage.repositories import tenants
from tenantry.storage.tenancy import Database, TenantTx

Item = TypeVar("Item")


def with_examples(*examples: Mapping[str, Any]) -> ConfigDict:
    """The configuration of what a route takes: no fields but its own, and these examples in its description."""
    return ConfigDict(extra="forbid", json_schema_extra={"examples": [dict(example) for example in examples]})


class Page(BaseModel):
    """Where the next page begins; null on the last one."""

    next_cursor: UUID | None = None


async def _db(request: Request) -> Database:
    # Async, though it waits for nothing: FastAPI runs what is not in a thread.
    return request.app.state.runtime.db


async def _models(request: Request) -> Models:
    return request.app.state.runtime.resources.models


async def _engine(request: Request) -> Engine:
    return request.app.state.runtime.engine


async def _resources(request: Request) -> Resources:
    return request.app.state.runtime.resources


async def _settings(request: Request) -> Settings:
    return request.app.state.runtime.settings


Db = Annotated[Database, Depends(_db)]
AllModels = Annotated[Models, Depends(_models)]
TheEngine = Annotated[Engine, Depends(_engine)]
EngineResources = Annotated[Resources, Depends(_resources)]
TheSettings = Annotated[Settings, Depends(_settings)]
Cursor = Annotated[UUID | None, Query(description="`next_cursor` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=100, description="How many at most.")]


def cut_page(found: Sequence[Item], limit: int, id_of: Callable[[Item], UUID]) -> tuple[Sequence[Item], UUID | None]:
    """The page out of up to `limit` + 1 items, and the cursor of the next when there is one."""
    page = found[:limit]
    return page, id_of(page[-1]) if len(found) > limit else None


async def require_member(tx: TenantTx, member_id: UUID, field: str) -> None:
    """Raises InvalidInput when they are no member of the tenant; `field` is where the request named them."""
    if await tenants.member_by_id(tx, member_id) is None:
        raise InvalidInput(
            f"`{field}` is no member of this tenant.", errors=[FieldError(field, "is no member of this tenant")]
        )
