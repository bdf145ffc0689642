"""Sites over REST: who makes them, and what is an origin."""

from typing import Any
from uuid import UUID

import pytest

from tenantry.auth.site_keys import tenant_of_site
from tenantry.client import TenantryClient
from tenantry.domain.ids import new_id
from tenantry.server.runtime import Runtime
from tenantry.storage.repositories import sites
from tests.conftest import MakeTenant, TenantForTest
from tests.integration.conftest import Call
from tests.integration.test_reply_api import make_agent

PATH = "/api/v1/sites"
SHOP: dict[str, Any] = {"name": "Shop", "origins": ["https://www.example.com"]}


async def test_a_site_is_made_changed_and_removed(
    call: Call, url: str, runtime: Runtime, tenant: TenantForTest
) -> None:
    agent_id = await make_agent(call, tenant.keys["mark"])
    async with TenantryClient.open(url, tenant.keys["olga"]) as client:
        made = await client.sites.create("Shop", ["https://WWW.example.com:443", "https://www.example.com"])
        assert (made.name, made.origins, made.agent_ids) == ("Shop", ("https://www.example.com",), ())
        assert tenant_of_site(made.public_key) == tenant.id
        origins = ["https://example.com", "http://localhost:3000"]
        changed = await client.sites.change(made.id, "Shop 2", origins, agent_ids=[UUID(agent_id), UUID(agent_id)])
