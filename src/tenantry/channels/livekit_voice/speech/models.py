"""The models of speech, loaded and warm."""

import ctypes

from tenantry.channels.livekit_voice.speech import wire
from tenantry.channels.livekit_voice.speech.hibari import Voices
from tenantry.channels.livekit_voice.speech.moonshine import Moonshine


def load() -> tuple[Moonshine, Voices]:
    """What hears and what speaks; each has done so once."""
    ear, voices = Moonshine(), Voices()
    ear.hear(voices.say("Hello there.", wire.DEFAULT_VOICE, 1.0))
    # Loading leaves 57 MB behind that glibc keeps; other libraries have no such function.
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)
    return ear, voices
