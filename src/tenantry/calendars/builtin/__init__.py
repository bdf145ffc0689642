"""The calendar that needs no other service."""

from tenantry.calendars.builtin.calendar import BuiltinCalendar, Effect

__all__ = ["BuiltinCalendar", "Effect"]
