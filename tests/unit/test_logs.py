"""No personal data in a log: an exception is its type and its places, whoever logs it."""

import subprocess
import sys

import pytest

SCRIPT = """
import logging, structlog
from tenantry.logs import configure_logs
configure_logs("info")
try:
    raise ValueError("ada@example.org said hello")
except ValueError as error:
    {line}
"""


@pytest.mark.parametrize(
    "line",
    [
        'logging.getLogger("uvicorn.error").error("failed", exc_info=True)',
        'structlog.get_logger().error("failed", exc_info=error)',
        'structlog.get_logger().error("failed", exc_info=True)',
    ],
)
def test_an_exceptions_words_are_not_logged(line: str) -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT.format(line=line)], capture_output=True, text=True, check=True)
    assert "failed" in done.stderr
    assert "ValueError" in done.stderr
    assert "<string>:6" in done.stderr
    assert "ada@example.org" not in done.stderr


SERVED = """
import asyncio, types
from tenantry.server import serving
from tenantry.logs import configure_logs
configure_logs("debug")

async def app(scope, receive, send):
    if scope["type"] == "http":
        raise ValueError(scope["path"])
    for kind in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{kind}.complete"})

async def ask():
    live = types.SimpleNamespace(close=lambda: None)
    serving.create_app = lambda _: app
    async def close():
        pass
    calls = types.SimpleNamespace(close=close)
    runtime = types.SimpleNamespace(engine=types.SimpleNamespace(live=live), browser_calls=calls)
    async with serving.serving(runtime, serving.bind("127.0.0.1", 0)) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(b"GET /calendar/feeds/a-secret.ics HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n")
        print((await reader.read()).split()[1].decode())
        writer.close()

asyncio.run(ask())
"""


def test_the_path_of_a_request_is_not_logged() -> None:
    done = subprocess.run([sys.executable, "-c", SERVED], capture_output=True, text=True, check=True)
    assert done.stdout == "500\n"
    assert "ValueError" in done.stderr
    assert "a-secret" not in done.stderr
