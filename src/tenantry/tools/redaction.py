"""Secrets that were sent to a service are kept out of what comes back from it."""

import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Collection, Iterator
from urllib.parse import quote, quote_plus

REDACTED = "[secret]"
# Shorter ones would be found in words that are none.
_SHORTEST = 6


class Redaction:
    """Finds the given secrets of six and more characters in texts: as they are (in upper or lower case), written as
    JSON, percent-encoded, in hexadecimal, and in base64, also where they are a part of what was encoded."""

    def __init__(self, secrets: Collection[str] = ()) -> None:
        known = {stripped for secret in secrets if len(stripped := secret.strip()) >= _SHORTEST}
        self._any_case = _alternatives(form for secret in known for form in _forms(secret))
        self._same_case = _alternatives(form for secret in known for form in _base64_forms(secret.encode()))

    def text(self, text: str) -> str:
        """The text with "[secret]" in the place of each secret."""
        for pattern, flags in ((self._any_case, re.IGNORECASE), (self._same_case, 0)):
            if pattern:
                text = re.sub(pattern, REDACTED, text, flags=flags)
        return text


def _alternatives(forms: Iterator[str]) -> str:
    # The longest first: of two that begin alike, the shorter one would leave the end of the other.
    return "|".join(re.escape(form) for form in sorted(set(forms), key=lambda form: (-len(form), form)))


def _forms(secret: str) -> Iterator[str]:
    yield secret
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret)[1:-1].replace("/", "\\/")
    yield quote(secret, safe="")
    yield quote(secret)
    yield quote_plus(secret)
    yield secret.encode().hex()


def _base64_forms(secret: bytes) -> Iterator[str]:
    """What of the encoded secret does not depend on what stands before and after it (RFC 4648, 4 and 5), for each of
    the three places that it can have in a group of three bytes."""
    for before in range(3):
        first = -(-before * 4 // 3)
        last = (before + len(secret)) * 4 // 3
        for encode in (b64encode, urlsafe_b64encode):
            yield encode(bytes(before) + secret).decode()[first:last]
    # On its own it has an end of its own.
    for encode in (b64encode, urlsafe_b64encode):
        whole = encode(secret).decode()
        yield whole
        yield whole.rstrip("=")
