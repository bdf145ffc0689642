"""Imported once where call processes are forked from: what each of them would import, and what it would make by itself.

Each of these keeps a call process from everything else for a fifth of a second: the module in a transcript's first
second, the certificates of LiveKit's HTTP session when it is closed, which makes it.
"""

from importlib import import_module

from livekit import local_inference
from livekit.agents.utils import http_context

from tenantry.channels.livekit_voice.worker import job

__all__ = ["job"]

local_inference.init_vad()
import_module("numpy.fft")
http_context._create_ssl_context()  # pyright: ignore[reportPrivateUsage]
