"""The contract test runs over every provider."""

from collections.abc import AsyncIterator
from importlib import import_module

import pytest

from tenantry.domain.connection import PROVIDERS
from tests.contract.harness import CalendarHarness, NewHarness, Opened


@pytest.fixture(scope="session", params=PROVIDERS)
async def new_harness(request: pytest.FixtureRequest) -> AsyncIterator[NewHarness]:
    """Makes accounts on a server of the provider."""
    opened: Opened = import_module(f"tests.contract.{request.param}").opened
    async with opened() as new:
        yield new


@pytest.fixture
async def harness(new_harness: NewHarness) -> CalendarHarness:
    """A fresh account at the provider."""
    return await new_harness()
