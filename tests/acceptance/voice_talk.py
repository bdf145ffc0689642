"""What callers of the tests say: they answer what they heard, until their appointment is booked."""

from dataclasses import dataclass

from tests.voice_callers import RemoteCaller

MAX_TURNS = 16


@dataclass(frozen=True)
class Seller:
    """Somebody who sells a home. `address` is how they say it and `written` how it is written; `mailbox` is their
    e-mail address up to the @ sign."""

    address: str
    written: str
    when: str
    mailbox: str = ""

    def answer(self, heard: str, read_back: str) -> str:
        """What they say to what they heard; whether they were understood they judge by the transcript of it."""
        asked = heard.lower().replace("e-mail", "email")
        if any(question in asked for question in ("is that right", "is that correct", "yes or no")):
            return self._correction(read_back.lower()) or "Yes, that is right."
        if "email" in asked:
            return f"{self.mailbox} at example dot com"
        if "address" in asked:
            return self.address
        if "price" in asked:
            return "Skip."
        return self.when

    def _correction(self, read_back: str) -> str:
        if "email" in read_back and self.mailbox not in "".join(c for c in read_back if c.isalnum()):
            return f"No, it is {' '.join(self.mailbox)} at example dot com."
        if "property address" in read_back and self.written.lower() not in read_back:
            return f"No, the address is {self.address}."
        return ""


async def books(caller: RemoteCaller, seller: Seller) -> str:
    """Go on from what the agent said last until it is booked; what confirmed it. Raises AssertionError."""
    heard = await caller.hears_out()
    for _ in range(MAX_TURNS):
        written = (await caller.lived()).written()
        if "is booked" in written:
            return heard
        await caller.says(seller.answer(heard, written))
        heard = await caller.hears_out()
    raise AssertionError(f"not booked; {[text.text for text in (await caller.lived()).transcripts if text.final]}")
