"""Requests that no client of ours would send: each is answered with a problem that says what to do."""

import aiohttp
import pytest

from tests.conftest import TenantForTest
from tests.integration.conftest import Call


@pytest.mark.parametrize("text", ["a\0b", "half \ud800 of a pair"])
async def test_text_that_cannot_be_kept_is_refused(call: Call, tenant: TenantForTest, text: str) -> None:
    body = {"definition": {"name": "Ada", "personality": text}}
    status, problem = await call(tenant.key, "POST", "/api/v1/agents", json=body)
    assert (status, problem["code"]) == (422, "invalid_input")


async def test_a_search_for_text_that_cannot_be_kept_is_refused(call: Call, tenant: TenantForTest) -> None:
    status, problem = await call(tenant.key, "GET", "/api/v1/agents/list", params={"name": "a\0b"})
    assert (status, problem["code"]) == (422, "invalid_input")
    assert "U+0000" in problem["detail"]


@pytest.mark.parametrize("body", [b"\xff{}", b'{"name": ', b"[" * 100_000])
async def test_a_body_that_is_no_json_is_refused(url: str, tenant: TenantForTest, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {tenant.key}", "Content-Type": "application/json"}
    async with aiohttp.ClientSession(url, headers=headers) as session:
        for path in ("/api/v1/agents", "/api/agent/reply"):
            async with session.post(path, data=body) as response:
                assert (response.status, (await response.json(content_type=None))["code"]) == (422, "invalid_input")


async def test_a_method_that_a_path_does_not_have_is_refused_with_those_it_has(url: str) -> None:
    async with (
        aiohttp.ClientSession(url) as session,
        session.patch("/api/v1/agents/01a1fdea-6d4b-72d9-88d6-8b735e8acc45") as response,
    ):
        assert response.status == 405
        assert response.headers["Allow"] == "DELETE, GET, PUT"
