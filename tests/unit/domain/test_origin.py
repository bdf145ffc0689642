"""What a newer version of its origin makes of a clone."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from tenantry.domain.agent import AgentDefinition, AgentRecord
from tenantry.domain.origin import Clone, CloneUpdate, Origin, update_clone

TEMPLATE = UUID(int=7)
BASE = AgentDefinition(name="Seller", personality="Kind.", greeting="Hello.", dos=("Ask once.",))
NEWEST = Origin(TEMPLATE, None, 2, replace(BASE, greeting="Good day.", dos=("Ask once.", "Be brief.")))
NOW = datetime(2026, 11, 20, tzinfo=UTC)


def clone_of(draft: AgentDefinition, answers: AgentDefinition | None = None, *, published: bool = True) -> Clone:
    agent = AgentRecord(
        tenant_id=UUID(int=1),
        id=UUID(int=2),
        owner_member_id=None,
        revision=4,
        definition=draft,
        published=3 if published else None,
        published_revision=None if not published else 4 if answers is None else 0,
        tags=(),
        is_template=False,
        created_at=NOW,
        updated_at=NOW,
    )
    return Clone(agent, Origin(TEMPLATE, None, 1, BASE), answers)


def taken(update: CloneUpdate) -> list[str]:
    return [change.path for change in update.taken]


def test_a_clone_as_it_was_becomes_what_its_origin_is() -> None:
    update = update_clone(clone_of(BASE), NEWEST)
    assert update.draft == update.published == NEWEST.definition
    assert set(taken(update)) == {"greeting", "dos"}
    assert not update.conflicts


def test_what_the_owner_changed_stays_and_where_both_did_it_is_told() -> None:
    mine = replace(BASE, personality="Patient.", greeting="Hi.")
    update = update_clone(clone_of(mine), NEWEST)
    assert update.draft == update.published == replace(mine, dos=NEWEST.definition.dos)
    assert [(each.path, each.mine, each.theirs) for each in update.conflicts] == [("greeting", "Hi.", "Good day.")]
    decided = update_clone(clone_of(mine), NEWEST, take=["greeting"])
    assert decided.draft == replace(NEWEST.definition, personality="Patient.")
    assert not decided.conflicts


def test_a_draft_with_unpublished_changes_takes_it_and_so_does_what_answers_each_by_itself() -> None:
    draft, answers = replace(BASE, personality="Not ready."), replace(BASE, tonality="Calm.")
    update = update_clone(clone_of(draft, answers), NEWEST)
    assert update.draft == replace(NEWEST.definition, personality="Not ready.")
    assert update.published == replace(NEWEST.definition, tonality="Calm.")


def test_conflicts_of_what_answers_are_told_too() -> None:
    update = update_clone(clone_of(BASE, replace(BASE, greeting="Hi.")), NEWEST)
    assert update.draft.greeting == "Good day."
    assert update.published is not None
    assert update.published.greeting == "Hi."
    assert [each.path for each in update.conflicts] == ["greeting"]


@pytest.mark.parametrize(("published", "publish"), [(False, True), (True, False)])
def test_only_the_draft_changes_where_nothing_is_to_be_published(published: bool, publish: bool) -> None:
    update = update_clone(clone_of(BASE, published=published), NEWEST, publish=publish)
    assert update.draft == NEWEST.definition
    assert update.published is None


def test_where_every_field_is_the_owners_nothing_changes() -> None:
    mine = replace(BASE, greeting="Hi.", dos=("Ask once.", "Be brief."))
    update = update_clone(clone_of(mine), NEWEST)
    assert not update.changes
    assert [each.path for each in update.conflicts] == ["greeting"]


def test_versions_are_taken_in_their_order_and_built_in_templates_when_they_differ() -> None:
    first = Origin(TEMPLATE, None, 1, BASE)
    assert first.is_older_than(NEWEST)
    assert not NEWEST.is_older_than(first)
    built_in = Origin(None, "support", None, BASE)
    assert not built_in.is_older_than(built_in)
    assert built_in.is_older_than(replace(built_in, definition=NEWEST.definition))
