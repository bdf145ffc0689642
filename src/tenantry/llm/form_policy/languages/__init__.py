"""The languages that the form policy speaks, one folder each, named by its ISO 639 code."""

from functools import cache
from importlib import import_module
from importlib.util import find_spec

from tenantry.llm.form_policy.language import Language

FALLBACK = "en"


@cache
def load_language(tag: str) -> Language:
    """The language of a tag such as "en-GB", English where there is no folder for it."""
    code = tag.replace("_", "-").split("-")[0].lower()
    known = code.isascii() and code.isalpha() and find_spec(f"{__name__}.{code}") is not None
    module = import_module(f"{__name__}.{code if known else FALLBACK}")
    language: Language = module.LANGUAGE
    return language
