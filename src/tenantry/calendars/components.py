"""Parts of iCalendar objects."""

from icalendar import Component


def add(component: Component, name: str, value: object, **parameters: str) -> None:
    """Add a property; values of Python's types become those of RFC 5545, and text is escaped."""
    component.add(name, value, parameters or None)  # pyright: ignore[reportUnknownMemberType, reportArgumentType]
