"""A tenant's own providers of language models, and its sealed secrets."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit
from uuid import UUID

from annotated_types import Ge, Le, MaxLen, MinLen

from tenantry.domain.errors import FieldError, InvalidInput

MAX_PROVIDERS = 50
_FORM_POLICY = "form-policy"
_PRINTABLE = re.compile(r"[\x21-\x7e]+")
# RFC 3986, 2: what may stand in a URL.
_URL = re.compile(r"[A-Za-z0-9._~:/\[\]@!$&'()*+,;=%-]+")
_PLACE = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
_SECRET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SECRET_VALUE = re.compile(r"[\x20-\x7e]+")
_MAX_KEY = 4096
_MAX_SECRET = 8192
_HINTED = 20

AnswerMode = Literal["json_schema", "tool", "prompt"]
Price = Annotated[int, Ge(0), Le(10**12)]
Seconds = Annotated[float, Ge(0.1), Le(600)]


@dataclass(frozen=True, slots=True)
class ProviderModel:
    """A model by the `name` that agents and callers use; `model` is what its provider calls it, empty for the same.
    Prices are in millionths of a US dollar for a million tokens, None where they are not known."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    name: Annotated[str, MinLen(1), MaxLen(200)]
    model: Annotated[str, MaxLen(200)] = ""
    input_price: Price | None = None
    output_price: Price | None = None


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds until the first token, between two tokens, and for a whole step; None for the installation's own."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    first_token: Seconds | None = None
    between_tokens: Seconds | None = None
    total: Seconds | None = None


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """What a tenant says of a provider: a server of the chat-completions wire at an address such as
    `https://api.openai.com/v1`, and its models."""

    name: Annotated[str, MinLen(1), MaxLen(100)]
    base_url: Annotated[str, MinLen(1), MaxLen(1000)]
    answer_mode: AnswerMode = "json_schema"
    models: Annotated[tuple[ProviderModel, ...], MaxLen(200)] = ()
    timeouts: Timeouts = field(default_factory=Timeouts)


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider of a tenant. `key_hint` is the end of its key where that is long enough to show it."""

    tenant_id: UUID
    id: UUID
    settings: ProviderSettings
    key_set: bool
    key_hint: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class SecretName:
    """A secret without its value; `owner_member_id` None means that it is the tenant's."""

    tenant_id: UUID
    id: UUID
    owner_member_id: UUID | None
    name: str
    created_at: datetime
    updated_at: datetime


def validate_provider(settings: ProviderSettings) -> None:
    """Raises InvalidInput with every fault."""
    faults = [*_url_faults(settings.base_url), *_model_faults(settings.models)]
    if not settings.name.isprintable() or settings.name != settings.name.strip():
        faults.append(FieldError("name", "begins or ends with a space, or holds a character that cannot be shown"))
    _raise(faults)


def validate_key(api_key: str) -> None:
    """Raises InvalidInput for what no header can hold; the text never repeats the key."""
    if len(api_key) > _MAX_KEY or not _PRINTABLE.fullmatch(api_key):
        _raise([FieldError("api_key", f"is not of 1 to {_MAX_KEY} printable ASCII characters without spaces")])


def validate_secret(name: str, value: str | None = None) -> None:
    """Raises InvalidInput for a name that is none, and for a value that no header can hold."""
    if not _SECRET_NAME.fullmatch(name):
        _raise([FieldError("name", "is not of 1 to 64 letters, digits, dots, dashes and underscores")])
    if value is not None and (len(value) > _MAX_SECRET or not _SECRET_VALUE.fullmatch(value)):
        _raise([FieldError("value", f"is not of 1 to {_MAX_SECRET} printable ASCII characters")])


def key_hint(api_key: str) -> str | None:
    """The last four characters of a key, or None of one so short that they would tell too much."""
    return api_key[-4:] if len(api_key) >= _HINTED else None


def same_origin(one: str, other: str) -> bool:
    """Whether two base URLs lead to the same scheme, host and port."""
    return _origin(one) == _origin(other)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _raise(faults: list[FieldError]) -> None:
    if faults:
        fields = ", ".join(dict.fromkeys(fault.field for fault in faults))
        raise InvalidInput(f"The request is not valid; correct {fields}.", errors=faults)


def _url_faults(url: str) -> Iterator[FieldError]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        yield FieldError("base_url", "is no URL, such as https://api.openai.com/v1")
        return
    if "@" in parts.netloc:
        yield FieldError("base_url", "holds a user name or password; give the key as `api_key`")
    elif "?" in url or "#" in url:
        yield FieldError("base_url", "holds a query or a fragment; leave it out")
    elif not _URL.fullmatch(url) or parts.scheme not in {"http", "https"} or not _PLACE.fullmatch(parts.netloc):
        yield FieldError("base_url", "is no absolute http or https URL, such as https://api.openai.com/v1")
    elif port == 0:
        yield FieldError("base_url", "names port 0, which nothing listens on")


def _model_faults(models: tuple[ProviderModel, ...]) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, model in enumerate(models):
        at = f"models.{index}"
        for part, text in (("name", model.name), ("model", model.model)):
            if text and not _PRINTABLE.fullmatch(text):
                yield FieldError(f"{at}.{part}", "holds a space or another character that no model's name has")
        if model.name == _FORM_POLICY:
            yield FieldError(f"{at}.name", f"{_FORM_POLICY!r} is the model that needs no provider; choose another name")
        elif model.name in seen:
            yield FieldError(f"{at}.name", "is there twice")
        seen.add(model.name)
