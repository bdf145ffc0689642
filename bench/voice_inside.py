"""The alternative to a speech server: a call process with the models inside.

usage: python -m bench.voice_inside     (prints the bytes of USS and of PSS that it has)
"""

import multiprocessing
import sys
from multiprocessing.connection import Connection

import psutil

from bench.voice_processes import Memory
from tenantry.channels.livekit_voice.worker.forking import start_forkserver

_SAID = "Thank you. And what else?"


def measured() -> Memory:
    """An idle call process, forked as a worker's are, that has loaded the models, and heard and spoken once."""
    start_forkserver()
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("forkserver").Process(target=_speak, args=(theirs,))
    process.start()
    ours.recv()
    taken = psutil.Process(process.pid).memory_full_info()
    ours.send(None)
    process.join()
    return Memory([taken.uss], [taken.pss])


def _speak(control: Connection) -> None:
    # The fork server does not have them, as the worker's has not.
    from tenantry.channels.livekit_voice.speech import models, wire
    from tests.speech import at_16_khz

    ear, voices = models.load()
    ear.hear(at_16_khz(voices.say(_SAID, wire.DEFAULT_VOICE, 1.0)))
    control.send(None)
    control.recv()


if __name__ == "__main__":
    found = measured()
    sys.stdout.write(f"{found.uss[0]} {found.pss[0]}\n")
