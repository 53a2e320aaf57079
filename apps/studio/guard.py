"""What stands before the page: every request is looked at before the page library sees it.

Closed by default. Only the addresses that the page uses are there; only our own pages may write;
only files of the studio may be named, by whatever way; nothing larger than allowed is taken in, be
its length stated or not; no socket of another site's page, no request under a foreign name.
"""

import asyncio
import base64
import hmac
import json
import os
import re
import shutil
from collections.abc import Awaitable, Callable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from affetto.apps.studio.settings import Settings

API = "/gradio_api"
FILE = f"{API}/file="
UPLOAD = f"{API}/upload"
MCP = f"{API}/mcp"
# What the page and gradio_client ask for. All else of the page library's server is not there.
OPEN = re.compile(
    r"/|/config/?|/theme\.css|/(assets|static|svelte)/[\w./@-]+|/favicon\.ico|/robots\.txt"
    r"|/manifest\.json|/pwa_icon(/\d+)?"
    rf"|{API}/(upload|upload_progress|info/?|app_id/?|startup-events|theme\.css|openapi\.json"
    r"|queue/(join|data)|cancel|reset/?|component_server|heartbeat/[\w-]{1,64}"
    r"|(run|api|call|call/v2)/\w{1,64}/?|call(/v2)?/\w{1,64}/\w{1,64}|file=.+)"
)
UPLOAD_S, BODY_S = 900.0, 30.0  # that a body may take to arrive
MAX_UPLOADS = 8  # at the same time
WRONG_PASSWORD_S = 1.0  # to wait after one
FREE_BYTES = 500_000_000  # that the disk keeps
MAX_JSON_DEPTH = 50
PAGE_POLICY = (
    "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; connect-src 'self' data: blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
FILE_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(self), geolocation=()",
}


class Refusal(Exception):
    """A request that is not let through."""

    def __init__(self, status: int, text: str, **headers: str) -> None:
        super().__init__(text)
        self.status, self.text, self.headers = status, text, headers


class Guard:
    """ASGI middleware; see the module's text.

    Args:
        app: what is guarded.
        settings: the studio's.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._uploads = settings.uploads.resolve()
        self._promised = 0  # bytes of uploads under way
        self._num_uploads = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it here."""
        if scope["type"] == "websocket":  # the page needs none
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = str(scope["path"])
        said = _Saying(send, FILE_POLICY if path.startswith(FILE) else PAGE_POLICY)
        try:
            headers = Headers(scope=scope)
            self._check_host(headers)
            if path == "/healthz":
                await PlainTextResponse("ok\n")(scope, receive, said)
                return
            self._check_address(path, str(scope["method"]))
            _check_site(headers, str(scope["method"]), path)
            await self._check_password(headers)
            if path.startswith(FILE):
                self._check_file(path.removeprefix(FILE))
            if scope["method"] == "POST" and path == UPLOAD:
                await self._take_upload(scope, receive, said, headers)
            elif scope["method"] == "POST":
                body = await self._body(receive, headers)
                self._check_body(body, headers)
                await self._app(scope, _given(body, receive), said)
            else:
                await self._app(scope, receive, said)
        except Refusal as refusal:
            if not said.begun:
                await _answer(refusal)(scope, receive, said)

    def _check_host(self, headers: Headers) -> None:
        """No foreign name may lead here: a name in the Host is what DNS rebinding needs."""
        stated = headers.getlist("host") + headers.getlist("x-forwarded-host")
        if len(headers.getlist("host")) != 1 or not all(
            self._is_ours(_host_of(one)) for one in stated
        ):
            raise Refusal(400, "this studio is not known under that name (see --name)")
        if headers.get("x-forwarded-proto", "http") not in ("http", "https"):
            raise Refusal(400, "not a protocol of pages")
        if "x-gradio-server" in headers:  # would be believed to be our own address
            raise Refusal(400, "not from here")

    def _is_ours(self, host: str) -> bool:
        if host == "localhost" or host in self._settings.names:
            return True
        try:
            address = ip_address(host)
        except ValueError:
            return False
        return address.is_loopback or not self._settings.is_local

    def _check_address(self, path: str, method: str) -> None:
        if method not in ("GET", "HEAD", "POST"):
            raise Refusal(405, "not allowed")
        mcp = self._settings.mcp and (path == MCP or path.startswith(f"{MCP}/"))
        if not (mcp or OPEN.fullmatch(path)) or ".." in path.split("/"):
            raise Refusal(404, "there is nothing here")

    async def _check_password(self, headers: Headers) -> None:
        if self._settings.auth is None:
            return
        wanted = ":".join(self._settings.auth).encode()
        kind, _, given = headers.get("authorization", "").partition(" ")
        try:
            word = base64.b64decode(given, validate=True) if kind.lower() == "basic" else b""
        except ValueError:
            word = b""
        if not hmac.compare_digest(_digest(word), _digest(wanted)):
            if word:
                await asyncio.sleep(WRONG_PASSWORD_S)
            realm = 'Basic realm="Affetto studio", charset="UTF-8"'
            raise Refusal(401, "user and password, please", **{"www-authenticate": realm})

    def _check_file(self, name: str) -> None:
        """Only regular files inside the studio's own folder, wherever links lead."""
        for one in {name, unquote(name)}:
            if not self._is_inside(one):
                raise Refusal(403, "not allowed")

    def _is_inside(self, name: str) -> bool:
        try:
            path = Path(name)
            return path.is_absolute() and path.resolve().is_relative_to(self._uploads)
        except (OSError, ValueError, RuntimeError):
            return False

    async def _body(self, receive: Receive, headers: Headers) -> bytes:
        """A body of moderate size, whole."""
        limit = self._settings.max_request_bytes
        _check_length(headers, limit)
        body = bytearray()
        more = True
        try:
            async with asyncio.timeout(BODY_S):
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Refusal(400, "broken off")
                    body += message.get("body", b"")
                    more = message.get("more_body", False)
                    if len(body) > limit:
                        raise Refusal(413, f"larger than the {limit} bytes allowed")
        except TimeoutError as error:
            raise Refusal(408, "the request took too long to arrive") from error
        return bytes(body)

    def _check_body(self, body: bytes, headers: Headers) -> None:
        """JSON in which nothing names a file or address that is not the studio's own."""
        if not body:
            return
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Refusal(415, "JSON is expected")
        try:
            content = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise Refusal(400, "not JSON") from error
        for named in _named(content):
            path, url = named.get("path"), named.get("url")
            if path is not None and not (isinstance(path, str) and self._is_inside(path)):
                raise Refusal(403, "only files that were uploaded here can be named")
            if path is None and url is not None:
                raise Refusal(403, "addresses are not taken: upload the file")

    async def _take_upload(
        self, scope: Scope, receive: Receive, send: Send, headers: Headers
    ) -> None:
        """Let an upload through while there is room for it, counting what comes."""
        limit = self._settings.max_upload_bytes
        size = _check_length(headers, limit)
        size = limit if size is None else size
        if self._num_uploads >= MAX_UPLOADS:
            raise Refusal(503, "too many uploads at once: please try again", **{"retry-after": "5"})
        self._num_uploads += 1
        self._promised += size
        try:
            await asyncio.to_thread(self._check_room)
            await self._app(scope, _counted(receive, limit), send)
        finally:
            self._num_uploads -= 1
            self._promised -= size

    def _check_room(self) -> None:
        used = folder_bytes(self._uploads) + self._promised
        free = shutil.disk_usage(self._uploads).free - self._promised
        if used > self._settings.max_folder_bytes or free < FREE_BYTES:
            raise Refusal(507, "the studio's disk space is used up: please try again in an hour")


class _Saying:
    """A `send` that adds our headers, and knows whether an answer has begun."""

    def __init__(self, send: Send, policy: str) -> None:
        self._send = send
        self._added = [
            (name.encode(), value.encode())
            for name, value in (HEADERS | {"content-security-policy": policy}).items()
        ]
        self.begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            ours = {name for name, _ in self._added} | {b"access-control-allow-origin"}
            kept = [pair for pair in message.get("headers", []) if pair[0].lower() not in ours]
            message = {**message, "headers": kept + self._added}
        await self._send(message)


def _check_site(headers: Headers, method: str, path: str) -> None:
    """Only our own pages write here, or show what is here; other programs send neither header."""
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2].lower() != headers["host"].lower():
        raise Refusal(403, "requests from other sites are not taken")
    from_elsewhere = headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
    led_here = method == "GET" and path == "/" and headers.get("sec-fetch-mode") == "navigate"
    if from_elsewhere and not led_here:
        raise Refusal(403, "requests from other sites are not taken")


def _check_length(headers: Headers, limit: int) -> int | None:
    """The length stated, None if none is."""
    stated = headers.get("content-length")
    if stated is None:
        return None
    if not re.fullmatch(r"\d{1,18}", stated):
        raise Refusal(400, "not a length")
    if int(stated) > limit:
        raise Refusal(413, f"larger than the {limit} bytes allowed")
    return int(stated)


def _counted(receive: Receive, limit: int) -> Callable[[], Awaitable[Message]]:
    """A `receive` that ends an upload which is too large, too slow, or broken off.

    It ends in the parser's own error: what has been written by then is thrown away.
    """
    loop = asyncio.get_running_loop()
    ends = loop.time() + UPLOAD_S
    taken = 0

    async def counted() -> Message:
        nonlocal taken
        try:
            async with asyncio.timeout_at(ends):
                message = await receive()
        except TimeoutError as error:
            raise MultiPartException("the upload took too long") from error
        if message["type"] == "http.disconnect":
            raise MultiPartException("the upload broke off")
        taken += len(message.get("body", b""))
        if taken > limit:
            raise MultiPartException(f"larger than the maximum allowed size of {limit} bytes")
        return message

    return counted


def _given(body: bytes, receive: Receive) -> Callable[[], Awaitable[Message]]:
    """A `receive` that gives out a body already read, then what else comes."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def given() -> Message:
        return waiting.pop() if waiting else await receive()

    return given


def _named(content: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - JSON
    """The objects with a `path` or a `url`, anywhere inside."""
    level = [content]
    for _ in range(MAX_JSON_DEPTH):
        inner: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                if one.keys() & {"path", "url"}:
                    yield one
                inner += one.values()
            elif isinstance(one, list):
                inner += one
        if not inner:
            return
        level = [one for one in inner if isinstance(one, (dict, list))]
    raise Refusal(400, f"nested deeper than {MAX_JSON_DEPTH}")


def _host_of(stated: str) -> str:
    """The host without its port: `[::1]:7860` is `::1`."""
    found = re.fullmatch(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?", stated.lower())
    return (found[1] or found[2]) if found else ""


def _digest(word: bytes) -> bytes:
    return hmac.digest(b"affetto", word, "sha256")  # of one length, whatever the word's


def _answer(refusal: Refusal) -> Response:
    return JSONResponse(
        {"detail": refusal.text}, status_code=refusal.status, headers=refusal.headers
    )


def folder_bytes(folder: Path) -> int:
    """The size of all files in a folder."""
    size = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                size += (Path(place) / name).lstat().st_size
            except OSError:  # thrown away meanwhile
                continue
    return size
