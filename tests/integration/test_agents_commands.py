"""`tenantry agents` on a running server: agents as files, many at once, versions."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tenantry.cli.agents.session import KEY
from tenantry.cli.main import app
from tests.conftest import TenantForTest
from tests.integration.conftest import Call
from tests.integration.test_agents_api import PATH, make

Tenantry = Callable[..., Awaitable[tuple[int, str]]]


@pytest.fixture
def agents(url: str, tenant: TenantForTest) -> Tenantry:
    """Runs `tenantry agents …` with the tenant's key: exit code and what it printed."""

    async def run(*arguments: object) -> tuple[int, str]:
        words = ["agents", *map(str, arguments), "--url", url]
        environment = {KEY: tenant.key, "COLUMNS": "200"}
        # A command has a loop of its own.
        result = await asyncio.to_thread(CliRunner().invoke, app, words, env=environment)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.output

    return run


def texts(folder: Path) -> dict[str, str]:
    """What is in the files of a folder, by their paths in it."""
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*.yaml"))}


async def test_what_is_exported_and_applied_is_unchanged(
    agents: Tenantry, call: Call, tenant: TenantForTest, tmp_path: Path
) -> None:
    await make(call, tenant.key, "Support & Co", tags=["eu", "yes"])
    await make(call, tenant.keys["mark"], "Seller")
    odd = {"name": "Seller", "time_zone": "Europe/Berlin", "variables": [{"name": "email", "type": "email"}]}
    await call(tenant.keys["jon"], "POST", PATH, json={"definition": odd})
    _, template = await call(tenant.key, "POST", PATH, json={"definition": {"name": "Template"}})
    await call(tenant.key, "PUT", f"{PATH}/{template['id']}/template", json={"is_template": True})
    code, printed = await agents("export", tmp_path)
    assert (code, printed) == (0, f"4 agents in {tmp_path}\n")
    members = [f"{name}@{tenant.slug}.example/seller.yaml" for name in ("jon", "mark")]
    before = texts(tmp_path)
    assert list(before) == [*members, "support-co.yaml", "template.yaml"]
    code, printed = await agents("apply", tmp_path, "--no-publish")
    assert (code, printed.splitlines()[-1]) == (0, "0 created, 0 changed, 4 unchanged, 0 failed")
    await agents("export", tmp_path)
    assert texts(tmp_path) == before


async def test_files_make_and_change_agents_once(
    agents: Tenantry, call: Call, tenant: TenantForTest, tmp_path: Path
) -> None:
    file = tmp_path / "agents.yaml"
    mark = f"mark@{tenant.slug}.example"
    file.write_text(f"name: Sales\ntags: [eu]\ntonality: Warm.\n---\nname: Sales\nowner: {mark}\ntemplate: false\n")
    code, printed = await agents("apply", file, "--dry-run")
    assert (code, printed.splitlines()[-1]) == (0, "would be: 2 created, 0 changed, 0 unchanged, 0 failed")
    assert (await call(tenant.key, "GET", f"{PATH}/list"))[1]["items"] == []
    assert (await agents("apply", file))[1].endswith("2 created, 0 changed, 0 unchanged, 0 failed\n")
    assert (await agents("apply", file))[1].endswith("0 created, 0 changed, 2 unchanged, 0 failed\n")
    file.write_text(file.read_text().replace("Warm.", "Calm.").replace("[eu]", "[eu, new]"))
    code, printed = await agents("diff", file)
    assert code == 0
    assert '~ tonality: "Warm." → "Calm."' in printed
    assert "~ tags: eu → eu, new" in printed
    assert (await agents("apply", file))[1].splitlines()[-1] == "0 created, 1 changed, 1 unchanged, 0 failed"
    _, page = await call(tenant.key, "GET", f"{PATH}/list", params={"tag": "new"})
    (sales,) = page["items"]
    assert (sales["definition"]["tonality"], sales["published"], sales["owner_member_id"]) == ("Calm.", 2, None)
    _, page = await call(
        tenant.keys["mark"], "GET", f"{PATH}/list", params={"owner_member_id": str(tenant.members["mark"])}
    )
    assert [agent["published"] for agent in page["items"]] == [1]


async def test_apply_publishes_a_draft_that_had_changed(
    agents: Tenantry, call: Call, tenant: TenantForTest, tmp_path: Path
) -> None:
    await call(tenant.key, "POST", PATH, json={"definition": {"name": "Draft"}})
    await agents("export", tmp_path)
    assert (await agents("apply", tmp_path, "--no-publish"))[1].endswith("1 unchanged, 0 failed\n")
    code, printed = await agents("apply", tmp_path)
    assert (code, "publishes the draft" in printed) == (0, True)
    assert (await agents("apply", tmp_path))[1].endswith("1 unchanged, 0 failed\n")


async def test_each_file_that_fails_says_why_and_the_others_are_applied(
    agents: Tenantry, call: Call, tenant: TenantForTest, tmp_path: Path
) -> None:
    for _ in range(2):
        await make(call, tenant.key, "Twice")
    files = {
        "a.yaml": "name: Good\n",
        "b.yaml": "name: [\n",
        "c.yaml": "name: Nobody's\nowner: nobody@nowhere.example\n",
        "d.yaml": "name: Twice\n",
        "e.yaml": "name: Good\ntonality: x\n",
        "f.yaml": "name: Wrong\ntime_zone: Mars/Olympus\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    code, printed = await agents("apply", tmp_path)
    assert code == 1
    assert printed.splitlines()[-1] == "1 created, 0 changed, 0 unchanged, 5 failed"
    for reason in (
        "b.yaml cannot be read",
        "nobody@nowhere.example is no member of this tenant",
        "2 agents of this owner are called 'Twice'",
        "a.yaml has an agent of the same owner and name",
        "time_zone: 'Mars/Olympus' is no IANA time zone",
    ):
        assert reason in printed, printed
    code, printed = await agents("import", tmp_path / "a.yaml")
    assert code == 1
    assert "`apply` changes it" in printed


async def test_many_at_once(agents: Tenantry, call: Call, tenant: TenantForTest) -> None:
    for name in ("One", "Two"):
        await make(call, tenant.key, name, tags=["sales"])
    code, printed = await agents("change", "--tag", "sales", "--patch", '{"greeting": "Hi"}', "--dry-run")
    assert (code, printed.splitlines()[-1]) == (0, "2 would be changed, 0 unchanged, 0 failed")
    assert '~ greeting: "" → "Hi"' in printed
    await agents("change", "--tag", "sales", "--patch", '{"greeting": "Hi"}')
    assert (await agents("tag", "One", "--add", "first", "--remove", "sales"))[0] == 0
    code, printed = await agents("list", "--tag", "first")
    assert [word for word in ("One", "Two", "(tenant)", "published", "first") if word in printed] == [
        "One", "(tenant)", "published", "first"
    ]  # fmt: skip
    mark = f"mark@{tenant.slug}.example"
    assert (await agents("hand-over", "One", "--to", mark))[0] == 0
    assert mark in (await agents("list"))[1]
    assert (await agents("delete", "--tag", "sales"))[1].endswith("1 changed, 0 unchanged, 0 failed\n")
    assert "Two" not in (await agents("list"))[1]
    code, printed = await agents("publish", "Two")
    assert code == 1
    assert "There is no agent 'Two'" in printed
    assert "name them, or choose them by --tag" in (await agents("publish"))[1]


async def test_versions_and_back(agents: Tenantry, call: Call, tenant: TenantForTest) -> None:
    await make(call, tenant.key, "Seller", note="the first")
    await agents("change", "seller", "--patch", '{"tonality": "Loud."}', "--note", "louder")
    code, printed = await agents("versions", "Seller")
    assert code == 0
    for text in ("version 2", "louder", '~ tonality: "" → "Loud."', "version 1", "the first", "answers"):
        assert text in printed
    assert (await agents("rollback", "Seller", 1))[1] == "Seller answers by version 3, which is version 1 again\n"
    assert "tonality" not in (await agents("show", "Seller"))[1]
    assert "tonality: Loud." in (await agents("show", "Seller", "--version", 2))[1]


async def test_without_a_key_it_says_what_to_do(url: str) -> None:
    result = await asyncio.to_thread(CliRunner().invoke, app, ["agents", "list", "--url", url], env={KEY: ""})
    assert result.exit_code == 1
    assert f"Set {KEY}" in result.output
