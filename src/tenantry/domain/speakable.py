"""Turns the text of a reply into words for a speech engine, whole or while it grows."""

import re

from tenantry.domain.speakable_english import ABBREVIATED, say

_END = re.compile(r"\n|[.!?…][\"'”’»)\]*_]*\s")
_NUMBERED = re.compile(r"\s*\d{1,3}[.)]\s*\Z")
_LINE_MARKUP = re.compile(r"^\s*(?:>\s*)*(?:#{1,6}\s+|[-*+•–]\s+(?:\[[ xX]\]\s+)?)?")
_RULE = re.compile(r"\s*(?:[-*_=]\s*){3,}\Z|\s*\|?(?:\s*:?-{2,}:?\s*\|)+\s*:?-*:?\s*\Z")
_LINK = re.compile(r"!?\[([^\]\[]*)\]\((?:[^()\s]|\([^()\s]*\))*(?: \"[^\"]*\")?\)")
_AUTOLINK = re.compile(r"<((?:https?://|mailto:)?[^\s<>]+[@./][^\s<>]+)>")
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,80}>")
_EMPHASIS = re.compile(r"\*{1,3}(?=\S)|(?<=\S)\*{1,3}|~~|`+|(?<!\w)_{1,3}(?=\w)|(?<=[\w.!?])_{1,3}(?!\w)")
_EMOJI = re.compile("[\U0001f000-\U0001faff\U000e0020-\U000e007f\u2600-\u27bf\u2b00-\u2bff\ufe0e\ufe0f\u200d\u20e3]")
_ARROW = re.compile(r"\s*(?:→|⇒|->|=>)\s*")
_FENCE = "```"


class SpeakableStream:
    """Gives a growing text in words, sentence by sentence: what it has given out is never within a word, a number or
    an address, and is the same however the text was cut into pieces."""

    def __init__(self, language: str = "en", *, spelled: bool = False) -> None:
        """`language` is a BCP 47 tag; in others than English only markup is taken away. With `spelled`, e-mail
        addresses are said letter by letter."""
        self._english = language.replace("_", "-").split("-")[0].lower() == "en"
        self._spelled = spelled
        self._rest = ""
        self._begun = False
        self._line_start = True
        self._fenced = False

    def feed(self, piece: str) -> str:
        """The words that are complete with the next piece of the text; often none."""
        self._rest += piece
        said: list[str] = []
        begin = 0
        for end in _END.finditer(self._rest):
            sentence = self._rest[begin : end.end()]
            if end[0] == "\n" or sentence.endswith("\n") or not self._goes_on(sentence):
                said.append(self._words(sentence))
                begin = end.end()
        self._rest = self._rest[begin:]
        return "".join(said)

    def flush(self) -> str:
        """What is left when the text is at its end; the next piece begins a new text."""
        said = self._words(self._rest)
        self._rest, self._begun, self._line_start, self._fenced = "", False, True, False
        return said

    def _goes_on(self, sentence: str) -> bool:
        numbered = self._line_start and _NUMBERED.match(sentence) is not None
        return numbered or ABBREVIATED.search(sentence.rstrip()) is not None

    def _words(self, sentence: str) -> str:
        line_start, self._line_start = self._line_start, sentence.endswith("\n")
        if line_start and sentence.lstrip().startswith(_FENCE):
            self._fenced = not self._fenced
            return ""
        if self._fenced or (line_start and _RULE.match(sentence)):
            return ""
        plain = _without_markup(sentence, line_start=line_start)
        words = " ".join((say(plain, spelled=self._spelled) if self._english else plain).split())
        if not any(character.isalnum() for character in words):
            return ""
        if self._line_start and words[-1].isalnum():
            # A line without a stop at its end, such as one of a list.
            words += "."
        spaced = f" {words}" if self._begun else words
        self._begun = True
        return spaced


def speakable(text: str, language: str = "en", *, spelled: bool = False) -> str:
    """All of `text` in words, as a `SpeakableStream` gives them."""
    stream = SpeakableStream(language, spelled=spelled)
    return stream.feed(text) + stream.flush()


def _without_markup(sentence: str, *, line_start: bool) -> str:
    if line_start:
        sentence = _LINE_MARKUP.sub("", sentence, count=1)
        sentence = re.sub(r"^\s*(\d{1,3})[.)]\s+", r"\1, ", sentence)
    sentence = _LINK.sub(r"\1", sentence)
    sentence = _AUTOLINK.sub(r"\1", sentence).replace("mailto:", "")
    sentence = _EMPHASIS.sub("", _TAG.sub(" ", sentence))
    sentence = _ARROW.sub(", ", _EMOJI.sub("", sentence))
    return re.sub(r"\s*\|\s*", ", ", sentence.strip().strip("|"))
