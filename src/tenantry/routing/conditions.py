"""Whether a rule's condition holds, and which part of it does not."""

from functools import lru_cache

from tenantry.domain.routing import Condition, Facts, StepCode
from tenantry.routing import metadata, times


def unmet(when: Condition, facts: Facts) -> tuple[StepCode, str] | None:
    """The first part of the condition that does not hold, and why in words; None if all hold."""
    if when.channels and facts.channel not in when.channels:
        return StepCode.OTHER_CHANNEL, f"the channel is {_told(facts.channel)}, not {_listed(when.channels)}"
    if when.languages and not any(in_range(facts.language, wanted) for wanted in when.languages):
        return StepCode.OTHER_LANGUAGE, f"the language is {_told(facts.language)}, not {_listed(when.languages)}"
    if when.tags and facts.tags.isdisjoint(when.tags):
        return StepCode.OTHER_TAGS, f"has no tag {_listed(when.tags)}"
    if when.new_user is not None and when.new_user is not facts.new_user:
        return StepCode.OTHER_USER, "the user is new" if facts.new_user else "the user is not new"
    for test in when.metadata:
        if (failure := metadata.failure(test, facts.metadata)) is not None:
            return StepCode.OTHER_METADATA, failure
    if when.time is not None and (failure := times.failure(when.time, facts.now)) is not None:
        return StepCode.OTHER_TIME, failure
    return None


def in_range(language: str | None, language_range: str) -> bool:
    """Whether a language tag is in a range, by basic filtering (RFC 4647, 3.3.1): "de-AT" is in "de" and "de-at"."""
    if language is None:
        return False
    tag, wanted = _folded(language), _folded(language_range)
    return tag == wanted or tag.startswith(f"{wanted}-")


@lru_cache(maxsize=1024)
def _folded(language: str) -> str:
    return language.replace("_", "-").lower()


def _told(fact: str | None) -> str:
    return "not known" if fact is None else repr(fact)


@lru_cache(maxsize=1024)
def _listed(names: tuple[str, ...]) -> str:
    return " or ".join(repr(name) for name in names)
