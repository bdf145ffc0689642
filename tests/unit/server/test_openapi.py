"""The API's description holds what a reader needs: problems and examples."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import APIRouter

from tenantry.api.problems import problems
from tenantry.api.registry import ROUTERS as API_ROUTERS
from tenantry.auth.principals import SCHEME
from tenantry.channels.registry import ROUTERS as CHANNEL_ROUTERS
from tenantry.domain.errors import AgentNotPublished, Conflict
from tenantry.server.openapi import DescribedApp


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    app = DescribedApp()
    for router in (*CHANNEL_ROUTERS, *API_ROUTERS):
        app.include_router(router)
    return app.openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_every_error_is_described_as_a_problem(document: dict[str, Any]) -> None:
    reference = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for name, operation in operations(document):
        errors = {status: said for status, said in operation["responses"].items() if status >= "400"}
        keys = operation.get("security", [])
        assert ({"401", "403", "503"} if {SCHEME: []} in keys else {"401", "503"} if keys else {"503"}) <= set(
            errors
        ), name
        assert ("404" in errors) or "{" not in name, name
        assert ("413" in errors) == ("requestBody" in operation), name
        for said in errors.values():
            assert said["content"] == reference, name
            assert said["description"], name
    assert "HTTPValidationError" not in str(document)


def test_every_body_has_an_example(document: dict[str, Any]) -> None:
    without: list[str] = []
    for name, operation in operations(document):
        if "requestBody" in operation:
            [(media_type, described)] = operation["requestBody"]["content"].items()
            if media_type == "application/octet-stream":
                continue
            schema = described["schema"]
            named = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema
            if not named.get("examples"):
                without.append(name)
    assert without == []


def test_a_route_says_what_else_it_may_raise() -> None:
    router = APIRouter()

    @router.get("/things", responses=problems(Conflict, AgentNotPublished))
    async def read_things() -> None: ...

    app = DescribedApp()
    app.include_router(router)
    said = app.openapi()["paths"]["/things"]["get"]["responses"]
    assert set(said) == {"200", "409"}
    assert said["409"]["description"].startswith("The thing was changed by someone else")
    assert " Or: No version of this agent was published yet" in said["409"]["description"]
