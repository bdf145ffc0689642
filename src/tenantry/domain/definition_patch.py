"""Changes to a definition as a JSON merge patch (RFC 7396) of its tree."""

from collections.abc import Mapping
from typing import Any, cast

from tenantry.domain.agent import AgentDefinition
from tenantry.domain.definition_tree import ORDER, Tree, definition_of, is_tree, names_in, tree_of


def patched(definition: AgentDefinition, patch: Mapping[str, Any]) -> AgentDefinition:
    """The definition with the patch's values in the place of its own; null takes out, or sets back to the default.

    Items are found by name: `{"variables": {"email": {"question": "And your email?"}, "phone": null}}`. A list takes
    the place of the whole list. A new item comes last; `$order` beside the items names those that come first, in
    order. Raises InvalidInput that names every field at fault.
    """
    return definition_of(_applied(tree_of(definition), patch))


def patch_between(before: AgentDefinition, after: AgentDefinition) -> dict[str, Any]:
    """The smallest patch by field with `patched(before, patch) == after`, whatever order its keys come in."""
    return _between(tree_of(before), tree_of(after))


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


def _between(before: Tree, after: Tree) -> Tree:
    patch: Tree = {}
    for name in dict.fromkeys([*names_in(before), *names_in(after)]):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        patch[name] = _between(old, new) if is_tree(old) and is_tree(new) else new
    added = [name for name in names_in(after) if name not in before]
    by_default = [name for name in names_in(before) if name in after] + added
    if ORDER in after and (len(added) > 1 or names_in(after) != by_default):
        patch[ORDER] = after[ORDER]
    return patch
