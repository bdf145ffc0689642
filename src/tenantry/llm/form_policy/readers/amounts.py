"""Numbers and amounts of money."""

import re
from dataclasses import dataclass
from functools import cache

from tenantry.llm.form_policy.language import Language

_EURO = "AT BE BG CY DE EE ES FI FR GR HR IE IT LT LU LV MT NL PT SI SK"
_CURRENCIES = {
    **dict.fromkeys(_EURO.split(), "EUR"),
    "US": "USD", "GB": "GBP", "CA": "CAD", "AU": "AUD", "NZ": "NZD", "CH": "CHF", "SE": "SEK", "NO": "NOK",
    "DK": "DKK", "PL": "PLN", "CZ": "CZK", "JP": "JPY", "CN": "CNY", "IN": "INR", "BR": "BRL", "MX": "MXN",
    "ZA": "ZAR", "SG": "SGD", "HK": "HKD", "AE": "AED", "IL": "ILS", "TR": "TRY", "KR": "KRW", "HU": "HUF",
    "RO": "RON", "PH": "PHP",
}  # fmt: skip
_SIGNS = {"€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR"}
_SHOWN = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹"}
_DOLLAR_REGIONS = frozenset({"CA", "AU", "NZ", "SG", "HK"})
_NUMBER = r"\d{1,3}(?:[.,' ]\d{3})+(?:[.,]\d{1,2})?(?!\d)|\d{1,15}(?:[.,]\d{1,4})?(?!\d)"
_PLAIN_NUMBER = re.compile(rf"(?<![\w.,])-?(?:{_NUMBER})")
_MAX_AMOUNTS = 10


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount in the text; `certain` when a sign, a unit or a factor says that it is money."""

    start: int
    end: int
    amount: float | int
    currency: str | None
    certain: bool


def currency_of(region: str) -> str | None:
    """The currency of amounts that name none, ISO 4217, where the region's is known here."""
    return _CURRENCIES.get(region)


@cache
def _money_pattern(language: Language) -> re.Pattern[str]:
    units = "|".join(sorted(map(re.escape, language.money.currencies), key=len, reverse=True))
    factors = "|".join(sorted(map(re.escape, language.money.factors), key=len, reverse=True))
    return re.compile(
        rf"(?<![\w.,])(?:(?P<sign>[$€£¥₹]|(?:{units})\b) ?)?(?P<number>{_NUMBER})"
        rf"(?: ?(?P<factor>{factors})\b)?(?: ?(?P<unit>[$€£¥₹]|"
        rf"(?:us |u\.s\. )?(?:{units})\b))?",
        re.IGNORECASE,
    )


def read_money(text: str, language: Language, region: str) -> list[Amount]:
    """Amounts of money, and with `certain` False numbers that may be one."""
    found: list[Amount] = []
    for match in list(_money_pattern(language).finditer(text))[:_MAX_AMOUNTS]:
        number = parse_number(match["number"], money=True)
        if number is None:
            continue
        factor = language.money.factors[match["factor"].lower()] if match["factor"] else 1
        unit = (match["sign"] or match["unit"] or "").lower()
        unit = re.sub(r"^u\.?s\.? ", "", unit)
        amount = _whole(round(number * factor, 2))
        found.append(
            Amount(match.start(), match.end(), amount, _currency(unit, language, region), bool(unit or match["factor"]))
        )
    return found


def _currency(unit: str, language: Language, region: str) -> str | None:
    if not unit:
        return currency_of(region)
    code = _SIGNS.get(unit) or ("USD" if unit == "$" else language.money.currencies[unit])
    if code == "USD" and unit in {"$", "dollar", "dollars", "bucks"} and region in _DOLLAR_REGIONS:
        return currency_of(region)
    return code


def parse_number(text: str, *, money: bool) -> float | int | None:
    """A number with its separators: groups of three after a comma, dot, blank or apostrophe are thousands; for money
    even a single group after a dot ("300.000"), which no one means as three decimals."""
    plain = text.replace(" ", "").replace("'", "")
    decimal = ""
    if found := re.fullmatch(r"(-?[\d.,]*?)([.,])(\d+)", plain):
        head, sign, tail = found.groups()
        both = "," in plain and "." in plain
        several = plain.count(sign) > 1
        grouped = len(tail) == 3 and not (both and not several) and (sign == "," or money or several)
        if not grouped:
            plain, decimal = head, tail
    digits = re.sub(r"[.,]", "", plain)
    try:
        return float(f"{digits}.{decimal}") if decimal else int(digits)
    except ValueError:
        return None


def _whole(number: float | int) -> float | int:
    return int(number) if isinstance(number, float) and number.is_integer() else number


def read_numbers(text: str) -> list[Amount]:
    """Plain numbers."""
    found: list[Amount] = []
    for match in list(_PLAIN_NUMBER.finditer(text))[:_MAX_AMOUNTS]:
        number = parse_number(match[0], money=False)
        if number is not None:
            found.append(Amount(match.start(), match.end(), _whole(number), None, False))
    return found


def say_money(amount: float | int, currency: str | None) -> str:
    """ "$450,000", "450,000 CHF"."""
    said = f"{amount:,}" if isinstance(amount, int) else f"{amount:,.2f}"
    if currency in _SHOWN:
        return f"{_SHOWN[currency]}{said}"
    return f"{said} {currency}" if currency else said
