"""E-mail addresses and phone numbers."""

import re
from dataclasses import dataclass

import email_validator
import phonenumbers

from tenantry.llm.form_policy.language import Found, Language

_EMAIL = re.compile(r"""[^\s@<>()\[\],;:"']{1,64}(?:'[^\s@<>()\[\],;:"']{1,30})? ?@ ?[^\s@<>()\[\],;:"'?!]{1,190}""")
_MAX_EMAILS = 5
_PHONE = re.compile(
    r"(?:\+ ?|\bplus |\b00)?(?<![\w$€£#])\(?\d(?:[\d().\-/ ]|, (?=[\d(])){4,34}\d\b(?![$€£%]|,\d)", re.IGNORECASE
)
_DATE_LIKE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}|\d{1,2}/\d{1,2}/\d{2,4}|\b\d{1,2}\.\d{1,2}\.\d{4}")
_PHONE_ALONE = re.compile(r"\+?[\d().\-/ ]{5,40}")
_MAX_PHONES = 5


def read_emails(text: str, language: Language, alone: bool) -> list[Found]:
    """Valid e-mail addresses, typed or spoken, normalised. Delivery is not checked: that would need the network."""
    found: list[Found] = []
    for match in list(_EMAIL.finditer(text))[:_MAX_EMAILS]:
        if normal := normal_email(match[0].replace(" ", "").rstrip(".")):
            found.append(Found(match.start(), match.end(), normal))
    if found:
        return found
    for spoken in language.spoken_emails(text, alone):
        if normal := normal_email(spoken.value):
            found.append(Found(spoken.start, spoken.end, normal))
    return found


def normal_email(text: str) -> str | None:
    """The address in its normal form, or None when it is none. `.test`, which the library calls a test environment,
    is let through: installations are tried out with it."""
    try:
        checked = email_validator.validate_email(text.lower(), check_deliverability=False, test_environment=True)
    except email_validator.EmailNotValidError:
        return None
    return checked.normalized


@dataclass(frozen=True, slots=True)
class Phone:
    """A phone number in the text: in E.164, or with `complete` False the digits of one that lacks its area code."""

    start: int
    end: int
    value: str
    complete: bool


def read_phones(text: str, region: str) -> list[Phone]:
    """Numbers that may be dialled in `region` (ISO 3166) or, with their country code, anywhere."""
    found: list[Phone] = []
    for match in list(_PHONE.finditer(text))[:_MAX_PHONES]:
        if _DATE_LIKE.search(match[0]):
            continue
        said = re.sub(r"(?i)^plus ", "+", match[0])
        for candidate in dict.fromkeys((said, said.split(", ")[0])):
            if phone := _dialled(candidate, region):
                end = match.end() - (len(said) - len(candidate))
                found.append(Phone(match.start(), end, *phone))
                break
    return found


def _dialled(said: str, region: str) -> tuple[str, bool] | None:
    digits = re.sub(r"[^\d+]", "", said)
    if digits.startswith("00"):
        digits = "+" + digits[2:]
    try:
        number = phonenumbers.parse(digits, region)
    except phonenumbers.NumberParseException:
        return None
    reason = phonenumbers.is_possible_number_with_reason(number)
    if reason == phonenumbers.ValidationResult.IS_POSSIBLE:
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164), True
    if reason == phonenumbers.ValidationResult.IS_POSSIBLE_LOCAL_ONLY:
        return digits, False
    return None


def normal_phone(text: str, region: str) -> str | None:
    """The number in E.164 as it is dialled in `region` (ISO 3166), or None when the text is no whole number."""
    if not _PHONE_ALONE.fullmatch(text):
        return None
    phone = _dialled(text, region)
    return phone[0] if phone and phone[1] else None


def with_area_code(area: str, local: str, region: str) -> str | None:
    """The whole number of a local one and the area code given after it, or None when that is no number."""
    phone = _dialled(re.sub(r"\D", "", area) + local, region)
    return phone[0] if phone and phone[1] else None


def say_phone(number: str, region: str) -> str:
    """A number as people of the region write it."""
    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return number
    home = phonenumbers.country_code_for_region(region) == parsed.country_code
    style = phonenumbers.PhoneNumberFormat.NATIONAL if home else phonenumbers.PhoneNumberFormat.INTERNATIONAL
    return phonenumbers.format_number(parsed, style)
