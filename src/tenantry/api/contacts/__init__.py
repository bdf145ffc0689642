"""Contacts over HTTP."""
