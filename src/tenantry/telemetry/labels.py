"""Label values that cannot grow without bound, and that quote nobody."""

import re

OTHER = "other"
NONE = "none"
_WORD = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}\Z")


def kind_of(text: str) -> str:
    """The kind that a degradation, an outcome or a status begins with: `timeout` of `timeout:maker/model`. What has not
    the form of one is `other`, so that no words of a model or a service become a label."""
    word = text.partition(":")[0]
    return word if _WORD.match(word) else OTHER


def name_of(text: str) -> str:
    """The name of a function; what a model made up and no function can be called is `other`."""
    return text if _NAME.match(text) else OTHER


class Bounded:
    """The first `most` different values as they are, every later one as `other`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._seen: set[str] = set()

    def value(self, text: str) -> str:
        """The value to label with."""
        if text in self._seen:
            return text
        if len(self._seen) >= self._most:
            return OTHER
        self._seen.add(text)
        return text
