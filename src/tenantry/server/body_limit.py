"""A limit on what a request may send, before anything reads it."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tenantry.api.problems import problem
from tenantry.domain.errors import PayloadTooLarge

BODY_LIMIT = 524_288


class BodyLimit:
    """ASGI middleware: 413 for a body of more than 512 KiB, whether or not its length was announced."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting what it brings."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if not length.isdigit() or int(length) > BODY_LIMIT:
            await problem(PayloadTooLarge(f"Send at most {BODY_LIMIT:,} bytes at once."))(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > BODY_LIMIT:
                raise PayloadTooLarge(f"Send at most {BODY_LIMIT:,} bytes at once.")
            return message

        await self._app(scope, counted, send)
