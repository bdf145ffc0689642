"""No personal data in a log: an exception is its type and its places, whoever logs it."""

import subprocess
import sys

import pytest

SCRIPT = """
import logging, structlog
from tenantry.server.logs import configure_logs
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
