"""Where tenants' calls may not go, by whatever name, number or redirect."""

import socket
from collections.abc import AsyncIterator
from ipaddress import ip_address, ip_network
from urllib.parse import quote

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from tenantry.outbound.addresses import NetworkPolicy
from tenantry.outbound.client import CallFailed, OutboundHttp, OutboundRequest
from tests.integration.valuation_service import Service, serving

LOOPBACK = NetworkPolicy((ip_network("127.0.0.1/32"),))

FORBIDDEN = [
    "0.0.0.0",  # noqa: S104
    "127.0.0.1", "127.8.9.1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "192.0.0.8", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.7", "203.0.113.9", "224.0.0.1",
    "239.255.255.250", "240.0.0.1", "255.255.255.255", "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1",
    "::ffff:169.254.169.254", "::ffff:0:10.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1",
    "2002:7f00:1::", "2002:a00:1::1", "2001::1", "2001:db8::1", "3fff::1", "fc00::1", "fd12:3456::1", "fe80::1",
    "fe80::1%lo", "fec0::1", "ff02::1", "100::1", "5f00::1", "4000::1",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "93.184.215.14", "172.32.0.1", "2606:4700::1111", "64:ff9b::1.1.1.1", "2002:101:101::1"]


class Names(AbstractResolver):
    """Answers every name with the next of its addresses; the last one stays."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = list(answers)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in answer
        ]

    async def close(self) -> None:
        return None


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    """A service that must not be reached, or only by its own name."""
    async with serving() as running:
        yield running


async def reason(url: str, policy: NetworkPolicy, resolver: AbstractResolver | None = None) -> str:
    """Why the call failed, or the status that came."""
    client = OutboundHttp(policy, resolver)
    try:
        answer = await client.send(OutboundRequest("POST", url, {}, {}, b"{}", 5))
    except CallFailed as failure:
        return failure.reason
    finally:
        await client.close()
    return str(answer.status)


@pytest.mark.parametrize("address", FORBIDDEN)
async def test_forbidden(address: str) -> None:
    assert not NetworkPolicy().allows(ip_address(address))
    host = f"[{address}]" if ":" in address else address
    assert await reason(f"http://{host}:9/", NetworkPolicy()) == "address_not_allowed"
    assert await reason("http://name.example:9/", NetworkPolicy(), Names([address])) == "address_not_allowed"


@pytest.mark.parametrize("address", PUBLIC)
def test_public(address: str) -> None:
    assert NetworkPolicy().allows(ip_address(address))


@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1", "64:ff9b::127.0.0.1"])
def test_what_the_operator_allows_is_allowed_in_all_its_forms(address: str) -> None:
    assert LOOPBACK.allows(ip_address(address))
    assert not LOOPBACK.allows(ip_address("127.0.0.2"))


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST.", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0", "0x7f.1", "017700000001",
     "127.0.0.1.", "127.000.000.001"],
)  # fmt: skip
async def test_other_ways_to_write_loopback(service: Service, host: str) -> None:
    port = service.url.rpartition(":")[2]
    assert await reason(f"http://{host}:{port}/", NetworkPolicy()) in {"address_not_allowed", "refused"}
    assert service.received == []


async def test_a_name_that_answers_public_and_private(service: Service) -> None:
    # All that answers here is private; with a public address beside it, that is tried and the private one is not.
    names = Names(["127.0.0.1", "::1", "10.0.0.1"])
    assert await reason(service.url.replace("127.0.0.1", "name.example"), NetworkPolicy(), names) == (
        "address_not_allowed"
    )
    assert service.received == []


async def test_a_name_that_changes_its_answer(service: Service) -> None:
    """DNS rebinding: the first answer is allowed, the one at the time of the redirect is not."""
    async with serving("127.0.0.2") as inner:
        names = Names(["127.0.0.1"], ["127.0.0.2"])
        port = inner.url.rpartition(":")[2]
        start = service.url.replace("127.0.0.1", "name.example")
        url = f"{start}/redirect:307?to=http://name.example:{port}/valuation"
        assert await reason(url, LOOPBACK, names) == "address_not_allowed"
        assert len(service.received) == 1
        assert inner.received == []


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.2:1/", "http://169.254.169.254/latest/meta-data", "http://[::1]:1/", "http://2130706433/",
        "http://[::ffff:10.0.0.1]/", "file:///etc/passwd", "ftp://127.0.0.1/", "ws://127.0.0.1/", "//10.0.0.1/",
        "gopher://x",
    ],
)  # fmt: skip
async def test_redirects_to_where_calls_may_not_go(service: Service, target: str) -> None:
    url = f"{service.url}/redirect:307?to={quote(target, safe='')}"
    assert await reason(url, LOOPBACK) == "address_not_allowed"
    assert len(service.received) == 1
