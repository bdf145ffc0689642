"""A message on its way in, as every channel hands it over."""

import hashlib
import json
import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID

import msgspec
from email_validator import EmailNotValidError, validate_email

from tenantry.domain.access import Principal
from tenantry.domain.errors import FieldError, InvalidInput
from tenantry.domain.storable import is_storable
from tenantry.domain.wall_time import ZONES

MESSAGE_LIMIT = 8_000
ID_LIMIT = 200
TAG_LIMIT = 20
METADATA_BYTES = 8_192
METADATA_DEPTH = 5
_LARGEST_INT = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Inbound:
    """One message of a contact. `conversation_ref` and `lead_id` may be the caller's own ids; `lead_id` and
    `lead_email` identify the contact; `model` overrides the agent's for this turn. `conversation_id` names one that
    the principal can see by our own id, whoever its contact is. `purpose`, `language` (BCP 47), `tags` and `metadata`
    (a JSON object) are what routing looks at when a conversation begins; `time_zone` in the metadata is the contact's
    (IANA) from then on, with every message. `traceparent` continues a trace (W3C Trace
    Context)."""

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
    purpose: str | None = None
    language: str | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    traceparent: str | None = None

    @property
    def contact_time_zone(self) -> str | None:
        """The zone that the metadata says the contact is in."""
        return self.metadata.get("time_zone")

    def fingerprint(self) -> bytes:
        """32 bytes that differ when the request does; equal ones may be answered with the same turn."""
        parts = (
            *(self.channel, self.message, self.agent_id, self.conversation_ref, self.lead_id, self.lead_email),
            *(self.topic, self.model, self.conversation_id),
        )
        for_routing = (self.purpose, self.language, self.tags, self.metadata)
        # Left out where there is none, so that a request is the same one as before there was routing.
        whole = (*parts, for_routing) if any(for_routing) else parts
        return hashlib.sha256(msgspec.json.encode(whole, order="deterministic")).digest()


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


def clean_tags(field_name: str, tags: list[str]) -> tuple[str, ...]:
    """The tags, trimmed, each once. Raises InvalidInput for more than 20, and as `clean_reference`."""
    if len(tags) > TAG_LIMIT:
        message = f"has {len(tags)} tags; send at most {TAG_LIMIT}"
        raise InvalidInput(f"`{field_name}` {message}.", errors=[FieldError(field_name, message)])
    trimmed = (clean_reference(f"{field_name}.{index}", tag) for index, tag in enumerate(tags))
    return tuple(dict.fromkeys(tag for tag in trimmed if tag))


def clean_metadata(field_name: str, metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """The metadata as it came. Raises InvalidInput when it is nested more than 5 deep, has more than 8,192 bytes as
    JSON, or holds a text or a number that JSON cannot say everywhere, or a `time_zone` that is no IANA name."""
    if not metadata:
        return metadata
    message = _metadata_fault(metadata, METADATA_DEPTH)
    # Measured once it is known to be flat enough to write.
    if message is None and len(json.dumps(metadata, ensure_ascii=False).encode()) > METADATA_BYTES:
        message = f"has more than {METADATA_BYTES:,} bytes as JSON; send what routing looks at"
    if message is not None:
        raise InvalidInput(f"`{field_name}` {message}.", errors=[FieldError(field_name, message)])
    zone = metadata.get("time_zone")
    if zone is not None and not (isinstance(zone, str) and zone in ZONES):
        at, message = (
            f"{field_name}.time_zone",
            "is no IANA time zone, such as Europe/London; correct it or leave it out",
        )
        raise InvalidInput(f"`{at}` {message}.", errors=[FieldError(at, message)])
    return metadata


def _metadata_fault(value: object, levels: int) -> str | None:
    match value:
        case str():
            return None if is_storable(value) else "holds a character that is none"
        case float():
            return None if math.isfinite(value) else "holds a number that is not finite"
        case int():
            return None if abs(value) <= _LARGEST_INT else "holds a number of more than 64 bits"
        case dict() | list() if levels == 0:
            return f"is nested more than {METADATA_DEPTH} deep"
        case dict():
            items = cast(dict[str, object], value)
            return next((f for item in (*items, *items.values()) if (f := _metadata_fault(item, levels - 1))), None)
        case list():
            return next((f for item in cast(list[object], value) if (f := _metadata_fault(item, levels - 1))), None)
        case _:
            return None
