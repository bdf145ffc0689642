"""The time zones that Exchange names."""

from zoneinfo import ZoneInfo

from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from tenantry.domain.wall_time import ZONES

_UTC = ZoneInfo("UTC")


def zone_named(name: str | None) -> ZoneInfo:
    """The zone of a Windows name such as "W. Europe Standard Time", or of an IANA name. UTC for a custom zone of a
    mailbox (`tzone://Microsoft/Custom`), which nothing says the rules of, and for none."""
    if not name:
        return _UTC
    iana = WINDOWS_TO_OLSON.get(name, name)
    return ZoneInfo(iana) if iana in ZONES else _UTC
