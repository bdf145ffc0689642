"""Google calendars, by the Calendar API v3."""

from tenantry.calendars.google.provider import GoogleCalendars

__all__ = ["GoogleCalendars"]
