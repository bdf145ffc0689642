"""Appointments in the calendar of the conversation's owner."""
