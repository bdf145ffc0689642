"""The speech server as a program: `python -m tenantry.channels.livekit_voice.speech --socket PATH`."""

import argparse
import asyncio
import os
import signal
import threading
from pathlib import Path

from tenantry.channels.livekit_voice.kept_process import ready_teller
from tenantry.channels.livekit_voice.speech.server import run_speech_server
from tenantry.logs import configure_logs


def main() -> None:
    """Serve until SIGTERM or SIGINT, with `--until-stdin-closes` also until the parent is gone."""
    tell_ready = ready_teller()
    parser = argparse.ArgumentParser(prog="speech", description="Recognise and synthesise speech for local clients.")
    parser.add_argument("--socket", type=Path, required=True, help="the Unix socket; its folder is made private")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end with the process that holds stdin")
    arguments = parser.parse_args()
    configure_logs("info")
    if arguments.until_stdin_closes:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    asyncio.run(run_speech_server(arguments.socket, tell_ready))


def _end_with_stdin() -> None:
    while os.read(0, 64):
        pass
    # By signal, so that loading the models is cut off as well as serving.
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
