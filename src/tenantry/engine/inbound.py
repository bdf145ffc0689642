"""A message on its way in, as every channel hands it over."""

import hashlib
import unicodedata
from dataclasses import dataclass
from uuid import UUID

import msgspec
from email_validator import EmailNotValidError, validate_email

from tenantry.domain.access import Principal
from tenantry.domain.errors import FieldError, InvalidInput

MESSAGE_LIMIT = 8_000
ID_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Inbound:
    """One message of a contact. `conversation_ref` and `lead_id` may be the caller's own ids; `lead_id` and
    `lead_email` identify the contact; `model` overrides the agent's for this turn. `conversation_id` names one that
    the principal can see by our own id, whoever its contact is. `traceparent` continues a trace (W3C Trace Context)."""

    principal: Principal
    channel: str
    message: str
    agent_id: UUID | None = None
    conversation_ref: str | None = None
    lead_id: str | None = None
    lead_email: str | None = None
    topic: str | None = None
    model: str | None = None
    idempotency_key: str | None = None
    conversation_id: UUID | None = None
    traceparent: str | None = None

    def fingerprint(self) -> bytes:
        """32 bytes that differ when the request does; equal ones may be answered with the same turn."""
        parts = (self.channel, self.message, self.agent_id, self.conversation_ref, self.lead_id, self.lead_email)
        return hashlib.sha256(msgspec.json.encode((*parts, self.topic, self.model, self.conversation_id))).digest()


def clean_message(text: str) -> str:
    """The text without control characters other than line breaks and tabs, and without lone surrogates.

    Raises InvalidInput when it is longer than 8,000 characters.
    """
    if len(text) > MESSAGE_LIMIT:
        raise InvalidInput(
            f"The message has {len(text):,} characters; send at most {MESSAGE_LIMIT:,} at once.",
            errors=[FieldError("message", f"is longer than {MESSAGE_LIMIT} characters")],
        )
    return "".join(
        character
        for character in text.replace("\r\n", "\n")
        if character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cs")
    )


def clean_reference(field: str, text: str | None) -> str | None:
    """A caller's own id, trimmed; None when it is empty. Raises InvalidInput when it cannot be kept."""
    if text is None or not text.strip():
        return None
    trimmed = text.strip()
    if len(trimmed) > ID_LIMIT or any(unicodedata.category(character) in ("Cc", "Cs") for character in trimmed):
        message = f"must have at most {ID_LIMIT} characters and no control characters"
        raise InvalidInput(f"`{field}` {message}.", errors=[FieldError(field, message)])
    return trimmed


def clean_email(field: str, text: str | None) -> str | None:
    """The address in its normal form, lower case; None when empty. Raises InvalidInput when it is none."""
    if text is None or not text.strip():
        return None
    try:
        checked = validate_email(text.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise InvalidInput(f"`{field}` is no e-mail address.", errors=[FieldError(field, str(error))]) from error
    return checked.normalized.lower()
