"""Changes to a definition as a JSON merge patch (RFC 7396) of its tree."""

from collections.abc import Mapping
from typing import Any, cast

from tenantry.domain.agent import AgentDefinition
from tenantry.domain.definition_tree import Tree, definition_of, is_tree, tree_of


def patched(definition: AgentDefinition, patch: Mapping[str, Any]) -> AgentDefinition:
    """The definition with the patch's values in the place of its own; null takes out, or sets back to the default.

    Items are found by name: `{"variables": {"email": {"question": "And your email?"}, "phone": null}}`. A list takes
    the place of the whole list. A new item comes last; `$order` beside the items names those that come first, in
    order. Raises InvalidInput that names every field at fault.
    """
    return definition_of(_applied(tree_of(definition), patch))


def _applied(target: object, patch: Mapping[str, Any]) -> Tree:
    result: Tree = dict(target) if is_tree(target) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            result[key] = _applied(result.get(key), cast(Mapping[str, Any], value))
        else:
            result[key] = value
    return result
