"""A strict server of Google's OAuth and Calendar API v3 on loopback that keeps state and checks what it is sent."""

from tests.google_server.server import GoogleServer, google_server

__all__ = ["GoogleServer", "google_server"]
