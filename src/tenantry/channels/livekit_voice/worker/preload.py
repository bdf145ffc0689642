"""Imported once where call processes are forked from: what each of them would import, and the voice activity model."""

from livekit import local_inference

from tenantry.channels.livekit_voice.worker import job

__all__ = ["job"]

local_inference.init_vad()
