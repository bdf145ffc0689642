"""A caller who wants an appointment, and a recogniser that writes down some of what they say wrong."""

import random
import re
from dataclasses import dataclass
from datetime import datetime

from tenantry.domain.speakable_english import say_email

_ALPHABET = {
    "a": "Alpha", "d": "Delta", "e": "Echo", "f": "Foxtrot", "i": "India", "j": "Juliet", "k": "Kilo", "l": "Lima",
    "m": "Mike", "n": "November", "o": "Oscar", "r": "Romeo", "s": "Sierra", "t": "Tango", "u": "Uniform",
}  # fmt: skip
_HEARD_AS = {"mark": "marc", "jane": "jayne", "miller": "millar", "at": "et", "dot com": "dot calm", "street": "st"}
_CONFUSED = {"m": "n", "n": "m", "d": "t", "t": "d", "e": "i", "s": "f"}
_FILLERS = ("um ", "uh ", "you know ", "well ")
_DROPPED = frozenset({"please", "is", "the", "it's", "at", "my"})
_PATIENCE = 30
GOODBYE = "okay goodbye"


@dataclass
class Recogniser:
    """Writes down what is said with errors, the same ones for one seed."""

    rng: random.Random
    errors: float = 0.3

    @classmethod
    def of(cls, seed: int) -> "Recogniser":
        """One with errors of its own."""
        return cls(random.Random(seed))  # noqa: S311

    def write(self, said: str) -> str:
        """What it makes of it."""
        for words, heard in _HEARD_AS.items():
            if self._errs():
                said = re.sub(rf"\b{words}\b", heard, said, flags=re.IGNORECASE)
        if self._errs():
            said = re.sub(r"(\w+)k at ", r"\1ket ", said)
        kept = [word for word in said.split() if not (word.lower() in _DROPPED and self._errs())]
        if kept and self._errs():
            kept.insert(0, kept[0])
        text = " ".join(kept)
        if self._errs():
            text = self.rng.choice(_FILLERS) + text
        return self.rng.choice((text, text.lower(), text.capitalize() + ".", text, text + "?" if "?" in text else text))

    def spell(self, word: str) -> str:
        """A word spelt letter by letter, of which one may be heard as another."""
        style = self.rng.choice(("letters", "dashes", "alphabet", "as in"))
        return " dot ".join(self._spelt(part, style) for part in word.split("."))

    def _spelt(self, word: str, style: str) -> str:
        symbols = [_CONFUSED.get(symbol, symbol) if self.rng.random() < self.errors / 3 else symbol for symbol in word]
        match style:
            case "dashes":
                return "-".join(symbols).upper()
            case "alphabet":
                return " ".join(_ALPHABET[symbol] for symbol in symbols)
            case "as in":
                return ", ".join(f"{symbol} as in {_ALPHABET[symbol]}" for symbol in symbols)
            case _:
                return " ".join(symbols)

    def _errs(self) -> bool:
        return self.rng.random() < self.errors


@dataclass
class Caller:
    """Says yes to nothing that is not what they meant."""

    email: str
    address: str
    when: datetime
    recogniser: Recogniser
    refused: int = 0
    turns: int = 0

    def answer(self, reply: str) -> str:
        """What is recognised of the answer to what the agent said."""
        self.turns += 1
        if self.turns > _PATIENCE:
            return GOODBYE
        rng, write = self.recogniser.rng, self.recogniser.write
        heard = reply.lower()
        if "is that right?" in heard:
            return self._about_the_email(reply)
        if "is that correct?" in heard or "say yes if it is right" in heard:
            return rng.choice(("yes", "Yeah that's right.", "correct")) if self._right(heard) else "no"
        if "letter by letter" in heard:
            return self.recogniser.spell(self._local)
        if "anything else" in heard:
            return rng.choice(("no thank you", "No.", "nothing else thank you"))
        if "what should i change" in heard or "which part is wrong" in heard or "the right value" in heard:
            return write(f"the address is {self.address}")
        if "email" in heard:
            return write(self._spoken_email)
        if "address" in heard:
            return write(f"it's {self.address}")
        return write(f"{self.when:%B} {self.when.day} at {self.when:%I} pm please".replace(" 0", " "))

    @property
    def _local(self) -> str:
        return self.email.partition("@")[0]

    @property
    def _spoken_email(self) -> str:
        return say_email(self.email, spelled=False)

    def _about_the_email(self, reply: str) -> str:
        rng = self.recogniser.rng
        if re.search(rf"(?:as|is) {re.escape(say_email(self.email, spelled=True))}\. Is that right", reply):
            return rng.choice(("yes", "Yep that's right.", "um yes", "yeah"))
        self.refused += 1
        again = (self._spoken_email, self.recogniser.spell(self._local))
        correction = rng.choice(("", *again))
        said = self.recogniser.write(correction) if correction else ""
        return rng.choice(("no", "nope that's wrong", "no it's")) + f" {said}" if said else rng.choice(("no", "Nope."))

    def _right(self, heard: str) -> bool:
        address = self.address.lower() in heard.replace(",", "")
        when = f"{self.when:%B} {self.when.day} at {int(f'{self.when:%I}')}:00 pm".lower()
        return address and ("appointment" not in heard or when in heard)
