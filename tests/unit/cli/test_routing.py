"""What the routing commands read and print."""

import pytest

from tenantry.cli.routing import metadata_of, without_defaults
from tenantry.domain.errors import InvalidInput


def test_metadata_is_read_from_pairs() -> None:
    pairs = ["tier=gold", "age=42", "vip=true", "address.city=Graz", "address.zip=8010", "note=a=b"]
    assert metadata_of(pairs) == {
        "tier": "gold", "age": 42, "vip": True, "address": {"city": "Graz", "zip": 8010}, "note": "a=b",
    }  # fmt: skip


@pytest.mark.parametrize("pairs", [["tier"], ["=gold"], ["a..b=1"], ["a=1", "a.b=2"]])
def test_what_is_no_pair_is_refused(pairs: list[str]) -> None:
    with pytest.raises(InvalidInput):
        metadata_of(pairs)


def test_rules_are_shown_without_their_empty_parts() -> None:
    rule = {
        "name": "all",
        "when": {"tags": [], "new_user": False, "time": None},
        "to": {"agent_id": "a", "version": None},
    }
    shown = without_defaults({"purposes": {}, "rules": [rule], "default": None})
    assert shown == {"rules": [{"name": "all", "when": {"new_user": False}, "to": {"agent_id": "a"}}]}
