"""From a member's address to their calendars (RFC 6764, RFC 4791)."""

from dataclasses import dataclass

from tenantry.calendars.caldav.dav import Dav
from tenantry.calendars.caldav.multistatus import CALDAV, DAV, Response
from tenantry.domain.calendar import CalendarChoice
from tenantry.domain.errors import CalendarRefused

_PRINCIPAL = f"{DAV}current-user-principal"
_HOME = f"{CALDAV}calendar-home-set"
_ADDRESSES = f"{CALDAV}calendar-user-address-set"
_NAME = f"{DAV}displayname"
_TYPE = f"{DAV}resourcetype"
_COMPONENTS = f"{CALDAV}supported-calendar-component-set"
_PRIVILEGES = f"{DAV}current-user-privilege-set"
_WRITING = frozenset({f"{DAV}all", f"{DAV}write", f"{DAV}write-content", f"{DAV}bind"})


@dataclass(frozen=True, slots=True)
class Account:
    """Who is signed in, by e-mail address where the server knows one, and where their calendars are."""

    name: str
    homes: tuple[str, ...]


async def account(dav: Dav) -> Account:
    """The account that the credential is of. Raises CalendarRefused when there are no calendars at this address."""
    principal = await _principal(dav)
    [found, *_] = await dav.propfind(principal, 0, [_HOME, _ADDRESSES, _NAME]) or [Response(principal, 200, {})]
    homes = tuple(dav.path(href, principal) for href in found.hrefs(_HOME))
    if not homes:
        raise CalendarRefused("This account has no calendars on that server.")
    mails = [href[len("mailto:") :] for href in found.hrefs(_ADDRESSES) if href.lower().startswith("mailto:")]
    name = mails[0] if mails else found.text(_NAME)
    return Account(name or principal.rstrip("/").rpartition("/")[2], homes)


async def calendars(dav: Dav) -> list[CalendarChoice]:
    """The account's calendars that hold events; the first one that can be written to counts as the main one."""
    found: list[CalendarChoice] = []
    for home in (await account(dav)).homes:
        for each in await dav.propfind(home, 1, [_TYPE, _NAME, _COMPONENTS, _PRIVILEGES]):
            if _holds_events(each):
                found.append(_choice(dav, home, each, primary=not any(choice.primary for choice in found)))
    return found


async def _principal(dav: Dav) -> str:
    """Where the server keeps what belongs to the account: asked at the address itself, then where RFC 6764 says."""
    refusals: list[CalendarRefused] = []
    for start in dict.fromkeys((dav.base.raw_path, "/.well-known/caldav", "/")):
        try:
            for found in await dav.propfind(start, 0, [_PRINCIPAL]):
                for href in found.hrefs(_PRINCIPAL):
                    return dav.path(href, start)
        except CalendarRefused as refusal:
            refusals.append(refusal)
    reasons = " ".join(dict.fromkeys(refusal.detail for refusal in refusals))
    raise CalendarRefused(f"No calendars (CalDAV) were found at this address. {reasons}".strip())


def _holds_events(each: Response) -> bool:
    kinds = each.properties.get(_TYPE)
    if kinds is None or kinds.find(f"{CALDAV}calendar") is None:
        return False
    holds = each.properties.get(_COMPONENTS)
    # Without the property a calendar takes every kind (RFC 4791, 5.2.3).
    return holds is None or any(kind.get("name", "").upper() == "VEVENT" for kind in holds)


def _choice(dav: Dav, home: str, each: Response, *, primary: bool) -> CalendarChoice:
    path = dav.path(each.href, home)
    may = each.properties.get(_PRIVILEGES)
    # A server without access control lists (RFC 3744) does not say; what it refuses is then met in writing.
    writable = may is None or any(right.tag in _WRITING for right in may.iterfind(f"{DAV}privilege/*"))
    name = each.text(_NAME) or path.rstrip("/").rpartition("/")[2]
    return CalendarChoice(path, name, primary and writable, writable)
