"""A real CalDAV server: Radicale as a process of its own on loopback, behind a proxy that breaks answers."""

import asyncio
import shutil
import socket
import sys
import tempfile
from base64 import b64encode
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
from aiohttp import web

CALENDAR = """<?xml version="1.0"?><mkcol xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><set><prop>
<resourcetype><collection/><C:calendar/></resourcetype><displayname>{name}</displayname>
<C:supported-calendar-component-set><C:comp name="{holds}"/></C:supported-calendar-component-set>
{zone}</prop></set></mkcol>"""
ZONE = """<C:calendar-timezone>BEGIN:VCALENDAR
BEGIN:VTIMEZONE
TZID:{zone}
END:VTIMEZONE
END:VCALENDAR
</C:calendar-timezone>"""

# A fault gets the request, and what passes it on and gives the server's own answer.
PassOn = Callable[[], Awaitable[web.Response]]
Fault = Callable[[web.Request, PassOn], Awaitable[web.StreamResponse]]


def basic(user: str, password: str) -> str:
    """The value of the `Authorization` header."""
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def answering(status: int, body: str = "", **headers: str) -> Fault:
    """Answer at once, and pass nothing on."""

    async def fault(_: web.Request, __: PassOn) -> web.Response:
        return web.Response(status=status, text=body, headers={n.replace("_", "-"): v for n, v in headers.items()})

    return fault


async def hang_after_commit(_: web.Request, pass_on: PassOn) -> web.StreamResponse:
    """Pass the request on, and keep its answer until the client has gone."""
    await pass_on()
    return await asyncio.get_running_loop().create_future()


class RadicaleServer:
    """A server with users whose password is their name, unless they have another. `direct` is its address, `url` that
    of the proxy before it, where faults hit the requests that they were asked for, and `requests` are the method, path,
    headers and body of all. Of `cut_every` changes that were made, one is answered by a broken connection, which `cuts`
    counts."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._port = port
        self._process: asyncio.subprocess.Process | None = None
        self.direct = f"http://127.0.0.1:{port}"
        self.url = ""
        self.faults: deque[tuple[tuple[str, ...], str, Fault]] = deque()
        self.requests: list[tuple[str, str, dict[str, str], str]] = []
        self.session = aiohttp.ClientSession()
        self.cut_every = 0
        self.changes = 0
        self.cuts = 0
        self._passwords: dict[str, str] = {}

    def add_user(self, user: str, password: str | None = None) -> None:
        """One who may sign in from now on."""
        self._passwords[user] = password or user
        with (self._folder / "users").open("a") as users:
            users.write(f"{user}:{self._passwords[user]}\n")

    def fail(self, fault: Fault, *methods: str, path: str = "") -> None:
        """One more request goes wrong, the next of these methods (any, unless named) whose path has this in it."""
        self.faults.append((methods, path, fault))

    async def make_calendar(self, user: str, name: str, *, holds: str = "VEVENT", zone: str = "Europe/Berlin") -> str:
        """A calendar of the user, whose path this is."""
        path = f"/{user}/{name}/"
        body = CALENDAR.format(name=name, holds=holds, zone=ZONE.format(zone=zone) if zone else "")
        status, _, text = await self.ask(user, "MKCOL", path, body, Content_Type="application/xml")
        assert status == 201, text
        return path

    async def ask(
        self, user: str, method: str, path: str, body: str | bytes | None = None, **headers: str
    ) -> tuple[int, Mapping[str, str], str]:
        """What the user does there by another program: the status, the headers and the body of the answer."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.request(
            method,
            self.direct + path,
            data=body,
            headers={"Authorization": basic(user, self._passwords.get(user, user)), **named},
        ) as answer:
            return answer.status, answer.headers, await answer.text()

    async def put(self, user: str, path: str, text: str) -> str:
        """The user stores an object, whose path this is."""
        status, _, body = await self.ask(user, "PUT", path, text, Content_Type="text/calendar; charset=utf-8")
        assert status in {201, 204}, body
        return path

    async def objects(self, user: str, calendar: str) -> dict[str, str]:
        """The objects in a calendar by their path."""
        _, _, listing = await self.ask(user, "PROPFIND", calendar, Depth="1")
        paths = [part.partition("<")[0] for part in listing.split("<href>")[1:]]
        found = {path: await self.ask(user, "GET", path) for path in dict.fromkeys(paths) if path.endswith(".ics")}
        return {path: text for path, (status, _, text) in found.items() if status == 200}

    def stored(self, calendar: str) -> dict[str, str]:
        """The objects in a calendar by their path, read where the server keeps them."""
        folder = self._folder / "collection-root" / calendar.strip("/")
        found: dict[str, str] = {}
        for file in folder.glob("*.ics"):
            with suppress(FileNotFoundError):
                found[f"{calendar}{file.name}"] = file.read_text()
        return found

    def forget_tokens(self) -> None:
        """The server knows none of its sync tokens any more."""
        for tokens in [*self._folder.glob("**/sync-token")]:
            shutil.rmtree(tokens)

    async def start(self) -> None:
        """Start, and wait until it answers."""
        (self._folder / "users").touch()
        config = self._folder / "config"
        config.write_text(
            f"[server]\nhosts = 127.0.0.1:{self._port}\ndelay_on_error = 0\n"
            f"[auth]\ntype = htpasswd\nhtpasswd_filename = {self._folder / 'users'}\nhtpasswd_encryption = plain\n"
            f"delay = 0\n[storage]\nfilesystem_folder = {self._folder}\n"
            "[web]\ntype = none\n[logging]\nlevel = critical\n"
        )
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "radicale", "--config", str(config), stderr=asyncio.subprocess.DEVNULL
        )
        while True:
            assert self._process.returncode is None, "Radicale ended"
            try:
                async with self.session.get(self.direct + "/"):
                    return
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.02)

    async def stop(self) -> None:
        """End the process; what it keeps is there when it is started again."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def proxy(self, request: web.Request) -> web.StreamResponse:
        """Pass a request on, unless a fault is for it."""
        body = await request.read()
        self.requests.append((request.method, request.raw_path, dict(request.headers), body.decode(errors="replace")))

        async def pass_on() -> web.Response:
            kept = {n: v for n, v in request.headers.items() if n not in {"Host", "Content-Length"}}
            async with self.session.request(
                request.method, self.direct + request.raw_path, data=body, headers=kept, allow_redirects=False
            ) as answer:
                content = await answer.read()
                dropped = {"Content-Length", "Content-Encoding", "Transfer-Encoding", "Date", "Server", "Connection"}
                headers = {n: v for n, v in answer.headers.items() if n not in dropped}
                return web.Response(status=answer.status, body=content, headers=headers)

        for waiting in self.faults:
            methods, path, fault = waiting
            if (not methods or request.method in methods) and path in request.raw_path:
                self.faults.remove(waiting)
                return await fault(request, pass_on)
        answer = await pass_on()
        if answer.status < 300 and request.method in {"PUT", "DELETE"}:
            self.changes += 1
            if self.cut_every and self.changes % self.cut_every == 0 and request.transport is not None:
                self.cuts += 1
                request.transport.abort()
        return answer


@asynccontextmanager
async def radicale_server() -> AsyncIterator[RadicaleServer]:
    """A running server, ended with the block."""
    folder = Path(tempfile.mkdtemp(prefix="radicale-"))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    server = RadicaleServer(folder, port)
    runner: web.AppRunner | None = None
    try:
        await server.start()
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{path:.*}", server.proxy)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield server
    finally:
        if runner is not None:
            await runner.cleanup()
        await server.stop()
        await server.session.close()
        shutil.rmtree(folder, ignore_errors=True)
