"""The one page that a person sees of a consent: plain, with nothing loaded and nothing run."""

import html

from fastapi import Response

_HEADERS = {
    "Cache-Control": "no-store",
    # The address of this page holds the code of the consent.
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}
_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title></head>
<body><h1>{title}</h1><p>{text}</p></body>
</html>
"""


def page(title: str, text: str, status: int) -> Response:
    """The answer with this title and sentence."""
    content = _PAGE.format(title=html.escape(title), text=html.escape(text))
    return Response(content, status, _HEADERS, media_type="text/html")
