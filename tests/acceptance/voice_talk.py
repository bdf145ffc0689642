"""What callers of the tests say: they answer what they heard, until their appointment is booked."""

from dataclasses import dataclass

from tests.voice_callers import RemoteCaller

MAX_TURNS = 14


@dataclass(frozen=True)
class Seller:
    """Somebody who sells a home: what they say for each thing that they are asked for. `mailbox` is their e-mail
    address up to the @ sign."""

    address: str
    when: str
    mailbox: str = ""

    def answer(self, heard: str, written: str) -> str:
        """What they say to what they heard; a read-back of their e-mail address is compared as it is `written`."""
        asked = heard.lower().replace("e-mail", "email")
        if any(question in asked for question in ("is that right", "is that correct", "yes or no")):
            if "email" in asked and self.mailbox not in "".join(c for c in written.lower() if c.isalnum()):
                return f"No, it is {' '.join(self.mailbox)} at example dot com."
            return "Yes, that is right."
        if "email" in asked:
            return f"{self.mailbox} at example dot com"
        if "address" in asked:
            return self.address
        if "price" in asked:
            return "Skip."
        return self.when


async def books(caller: RemoteCaller, seller: Seller, *, turns: int = MAX_TURNS) -> str:
    """Go on from what the agent said last until it is booked; what confirmed it. Raises AssertionError."""
    heard = await caller.hears_out(within=30)
    for _ in range(turns):
        if "is booked" in heard:
            return heard
        written = (await caller.lived()).written()
        await caller.says(seller.answer(heard, written))
        heard = await caller.hears_out(within=30)
    raise AssertionError(f"not booked after {turns} turns; {(await caller.lived()).transcripts}")
