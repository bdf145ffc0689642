"""The XML of WebDAV: what is asked, and multistatus answers (RFC 4918, 13) as they are read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, ParseError, SubElement, tostring

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from tenantry.domain.errors import CalendarRefused, CalendarUnavailable

DAV = "{DAV:}"
CALDAV = "{urn:ietf:params:xml:ns:caldav}"
CALENDAR_SERVER = "{http://calendarserver.org/ns/}"


@dataclass(frozen=True, slots=True)
class Response:
    """What is said of one resource: its status and the properties that it has, by name. `href` is as the server wrote
    it."""

    href: str
    status: int
    properties: Mapping[str, Element]

    def text(self, name: str) -> str:
        """The text of a property, empty without it."""
        found = self.properties.get(name)
        return "" if found is None else (found.text or "").strip()

    def hrefs(self, name: str) -> list[str]:
        """The addresses in a property."""
        found = self.properties.get(name)
        if found is None:
            return []
        return [text for href in found.iter(f"{DAV}href") if (text := (href.text or "").strip())]


@dataclass(frozen=True, slots=True)
class Multistatus:
    """A 207 answer; `sync_token` is empty but in the answer to a sync-collection (RFC 6578)."""

    responses: tuple[Response, ...]
    sync_token: str


def request(name: str, *parts: Element) -> bytes:
    """The body of a request."""
    root = Element(name)
    root.extend(parts)
    return b'<?xml version="1.0" encoding="utf-8"?>' + tostring(root)


def element(tag: str, text: str | None = None, /, *parts: Element, **attributes: str) -> Element:
    """An element of a request."""
    made = Element(tag, attributes)
    made.text = text
    made.extend(parts)
    return made


def properties(names: Sequence[str]) -> Element:
    """The `prop` element that asks for these properties."""
    asked = Element(f"{DAV}prop")
    for name in names:
        SubElement(asked, name)
    return asked


def parse(body: bytes) -> Multistatus:
    """The multistatus in a body. Raises CalendarUnavailable for what is none, CalendarRefused for XML with a document
    type, which no server sends in good faith."""
    root = _parsed(body)
    if root.tag != f"{DAV}multistatus":
        raise CalendarUnavailable("The calendar server's answer is not what CalDAV says.")
    found = tuple(_response(each) for each in root.iterfind(f"{DAV}response"))
    return Multistatus(found, (root.findtext(f"{DAV}sync-token") or "").strip())


def preconditions(body: bytes) -> frozenset[str]:
    """Which preconditions an error answer names (RFC 4918, 16); empty for any other body."""
    try:
        root = _parsed(body)
    except (CalendarRefused, CalendarUnavailable):
        return frozenset()
    return frozenset(each.tag for each in root) if root.tag == f"{DAV}error" else frozenset()


def _parsed(body: bytes) -> Element:
    try:
        return fromstring(body, forbid_dtd=True)
    except DefusedXmlException as error:
        raise CalendarRefused("The calendar server's answer has a document type, which is not read.") from error
    except (ParseError, ValueError, LookupError) as error:
        # ValueError and LookupError are of encodings that the parser does not know.
        raise CalendarUnavailable("The calendar server answered with something else than XML.") from error


def _response(each: Element) -> Response:
    has: dict[str, Element] = {}
    for block in each.iterfind(f"{DAV}propstat"):
        if _status(block) == 200:
            has.update((found.tag, found) for found in block.iterfind(f"{DAV}prop/*"))
    return Response((each.findtext(f"{DAV}href") or "").strip(), _status(each), has)


def _status(holder: Element) -> int:
    """The code in "HTTP/1.1 404 Not Found"; 200 where none is said."""
    words = (holder.findtext(f"{DAV}status") or "").split()
    return int(words[1]) if len(words) > 1 and words[1].isascii() and words[1].isdigit() else 200
