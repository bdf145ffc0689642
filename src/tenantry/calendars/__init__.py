"""Calendars: when an appointment is possible, and where it is kept."""
