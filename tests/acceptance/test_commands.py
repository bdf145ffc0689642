"""The other commands, as an operator types them."""

import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pexpect
import pytest

from tenantry.cli.demo.seed import MARK
from tenantry.server.runtime import Runtime
from tenantry.server.serving import bind
from tests.acceptance.commands import Up, environment, run, up
from tests.conftest import copied_home, new_home
from tests.integration.redis_server import redis_server
from tests.wire_server import wire_server


@pytest.fixture(scope="module")
async def served(empty_installation: Path) -> AsyncIterator[tuple[Path, Up]]:
    """A home and the server that runs in it, with the demo's tenant."""
    with new_home() as home:
        async with up(copied_home(empty_installation, home)) as server:
            yield home, server


async def test_a_tenant_of_ones_own_from_nothing(home: Path) -> None:
    """README: tenant create, member add, key create; the key works, and not after it is revoked."""
    code, printed = await run(home, "tenant", "create", "acme", "--name", "Acme & Co", "--time-zone", "Europe/London")
    assert code == 0, printed
    code, printed = await run(home, "tenant", "create", "acme")
    assert (code, printed.count("\n")) == (1, 1)
    assert "already" in printed
    assert (await run(home, "member", "add", "Ada@Acme.example", "--tenant", "acme", "--role", "editor"))[0] == 0
    code, printed = await run(home, "member", "add", "ada@acme.example", "--tenant", "acme")
    assert code == 1
    assert "member of this tenant already" in printed
    async with up(home) as server:
        assert "peterei" not in server.printed  # an installation that is in use gets no demo data
        code, printed = await run(home, "key", "create", "--tenant", "acme", "--member", "ada@acme.example")
        assert code == 0, printed
        key = printed.strip()
        assert key.startswith("tnt_")
        assert await _status(server.url, key) == 200
        code, printed = await run(home, "key", "list", "--tenant", "acme")
        assert "ada@acme.example" in printed
        assert key not in printed
        key_id = next(word for word in printed.split() if word.count("-") == 4)
        assert (await run(home, "key", "revoke", key_id, "--tenant", "acme"))[0] == 0
        assert await _status(server.url, key) == 401
        code, printed = await run(home, "key", "revoke", key_id, "--tenant", "acme")
        assert code == 1


async def _status(url: str, key: str) -> int:
    headers = {"Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(url, headers=headers) as session, session.get("/api/v1/agents") as response:
        return response.status


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("key", "create", "--tenant", "nobody"), "tenant create nobody"),
        (("member", "add", "no-address", "--tenant", "x"), "no e-mail address"),
        (("tenant", "create", "Not A Slug"), "lower-case"),
        (("tenant", "create", "zone", "--time-zone", "Mars/Olympus"), "time zone"),
        (("tenant", "limits", "x", "--contact", "plenty"), "--contact: 'plenty' is no rate"),
    ],
)
async def test_mistakes_are_one_clear_line(
    runtime: Runtime, session_home: Path, arguments: tuple[str, ...], told: str
) -> None:
    code, printed = await run(session_home, *arguments)
    assert code == 1
    assert told in printed
    assert "Traceback" not in printed


async def test_an_operator_sets_limits_and_sees_usage(installed: Path) -> None:
    async with up(installed) as server:
        headers = {"Authorization": f"Bearer {server.key(MARK)}"}
        async with (
            aiohttp.ClientSession(server.url, headers=headers) as session,
            session.post("/api/agent/reply", json={"message": "hello"}) as response,
        ):
            assert response.status == 200
        granted = ("--contact", "60/minute", "--tokens", "5000000", "--cost", "50.00")
        code, printed = await run(installed, "tenant", "limits", "peterei", *granted)
        assert code == 0, printed
        code, printed = await run(installed, "tenant", "limits", "peterei", "--tokens", "none")
        assert code == 0, printed
        rows = [line.split("│")[1:3] for line in printed.splitlines() if "│" in line]
        shown = {name.strip(): value.strip() for name, value in rows}
        assert shown["contact_per_minute"] == "60"
        assert shown["monthly_tokens"] == "-"
        assert shown["monthly_cost_micros"] == "$50.000000"
        code, printed = await run(installed, "usage")
        assert code == 0, printed
        rows = [[cell.strip() for cell in line.split("│")[1:4]] for line in printed.splitlines() if "│" in line]
        assert rows == [["peterei", "form-policy", "1"], ["peterei", "all", "1"]]


async def test_a_port_in_use_is_told(home: Path, served: tuple[Path, Up]) -> None:
    port = served[1].url.rsplit(":", 1)[1]
    code, printed = await run(home, "up", "--port", port)
    assert code == 1
    assert f"Cannot listen on 127.0.0.1:{port}" in printed


async def test_doctor_alone_and_beside_a_running_server(home: Path, served: tuple[Path, Up]) -> None:
    for where, tenants in ((home, "none yet"), (served[0], "peterei")):
        code, printed = await run(where, "doctor")
        assert code == 0, printed
        assert tenants in printed


async def test_doctor_tells_of_what_is_away_and_of_what_answers(
    runtime: Runtime, session_home: Path, tmp_path: Path
) -> None:
    nowhere = bind("127.0.0.1", 0)
    away = f"127.0.0.1:{nowhere.getsockname()[1]}"
    nowhere.close()
    async with redis_server(tmp_path) as redis, wire_server() as wire:
        for redis_url, model, told in (
            (redis.url, wire.url, ("Redis │ ok", "models │ ok", "answers: maker/m, form-policy")),
            (f"redis://:hidden@{away}", f"http://{away}/v1", ("Redis │ know this", "models │ know this", "cannot be")),
        ):
            more = {
                "REDIS_URL": redis_url,
                "AGENT_MODEL": "maker/m",
                "AGENT_BASE_URL": model.replace("http://", "http://me:hidden@"),
                "TENANTRY_METRICS_TOKEN": "0123456789abcdef",
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318",
            }
            code, printed = await run(session_home, "doctor", more=more)
            assert code == 0, printed
            shown = re.sub(r" +", " ", printed)
            for part in (
                *told,
                "metrics │ ok │ GET /metrics opens",
                "traces │ ok │ to http://collector:4318/v1/traces",
            ):
                assert part in shown, printed
            assert "hidden" not in printed
            assert "0123456789abcdef" not in printed


async def test_chat_talks_to_an_agent(served: tuple[Path, Up]) -> None:
    home, server = served
    agent = server.printed.split('"agentId":"')[1].split('"')[0]
    child = pexpect.spawn(
        sys.executable,
        ["-m", "tenantry", "chat", "--agent", agent],
        env=environment(home),  # pyright: ignore[reportArgumentType]
        encoding="utf-8",
        timeout=30,
    )
    for said, answered in (
        ("I want to sell 123 Main Street, Springfield", "e-mail address"),
        ("mark at example dot com", "agent>"),
        ("what did you note?", "mark@example.com"),
    ):
        await child.expect("you> ", async_=True)
        child.sendline(said)
        await child.expect(answered, async_=True)
    await child.expect("you> ", async_=True)
    child.sendline("")
    await child.expect(pexpect.EOF, async_=True)
    child.close()
    assert child.exitstatus == 0
    code, printed = await run(home, "chat", "--agent", "Property Seller Agent")
    assert code == 1
    assert "name one by its id" in printed
