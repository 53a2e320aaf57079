"""Studios for benchmarks: ours as people start it, and the same page on a bare Gradio as control."""

import argparse
import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

START_S = 90.0


@dataclass(frozen=True)
class Answer:
    """What a server said."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Server:
    """A running studio.

    Attributes:
        port: on 127.0.0.1.
        pid: of its process.
        folder: what stands for its user's home.
    """

    port: int
    pid: int
    folder: Path

    @property
    def host(self) -> str:
        """For the Host header."""
        return f"127.0.0.1:{self.port}"

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | Iterator[bytes] | None = None,
        *,
        timeout_s: float = 60.0,
        most: int = 3_000_000,
        **headers: str,
    ) -> Answer:
        """One request, its path and headers exactly as given; status 0 if the line is cut."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        named = {"Host": self.host} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        chunked = body is not None and not isinstance(body, bytes)
        try:
            line.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in named.items():
                line.putheader(name, value)
            if chunked:
                line.putheader("Transfer-Encoding", "chunked")
            elif body is not None and "Content-Length" not in named:
                line.putheader("Content-Length", str(len(body)))
            line.endheaders()
            try:
                if chunked:
                    for piece in body:
                        line.send(b"%x\r\n%s\r\n" % (len(piece), piece))
                    line.send(b"0\r\n\r\n")
                elif body:
                    line.send(body)
            except (BrokenPipeError, ConnectionResetError):  # answered before all was sent
                pass
            said = line.getresponse()
            return Answer(
                said.status, {k.lower(): v for k, v in said.getheaders()}, said.read(most)
            )
        except (OSError, http.client.HTTPException, ValueError):
            return Answer(0, {}, b"")
        finally:
            line.close()

    def say(self, path: str, content: object, **headers: str) -> Answer:
        """A request in JSON."""
        given = {"Content_Type": "application/json"} | headers
        return self.ask("POST", path, json.dumps(content).encode(), **given)

    def upload(self, data: bytes | Iterator[bytes], name: str = "a.txt", **headers: str) -> Answer:
        """A file, as a form sends it."""
        head = (f'--zz\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n'
                "Content-Type: text/plain\r\n\r\n").encode()  # fmt: skip
        given = {"Content_Type": "multipart/form-data; boundary=zz"} | headers
        if isinstance(data, bytes):
            return self.ask("POST", "/gradio_api/upload", head + data + b"\r\n--zz--\r\n", **given)

        def pieces() -> Iterator[bytes]:
            yield head
            yield from data
            yield b"\r\n--zz--\r\n"

        return self.ask("POST", "/gradio_api/upload", pieces(), **given)

    def call(self, name: str, data: list[object], **headers: str) -> str:
        """A job by its API name: 'complete' or how else it ended."""
        begun = self.say(f"/gradio_api/call/{name}", {"data": data}, **headers)
        if begun.status != 200:
            return f"{begun.status}"
        event = json.loads(begun.body)["event_id"]
        told = self.ask("GET", f"/gradio_api/call/{name}/{event}", timeout_s=120).body.decode()
        ends = [line.removeprefix("event: ") for line in told.splitlines() if "event: " in line]
        return f"{ends[-1] if ends else 'nothing'} {told[-3000:]}"

    @property
    def memory_mb(self) -> float:
        """What its process holds; its jobs' process is another."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1000
        return 0.0


def main() -> None:
    """Be a bare one: `studio_servers.py KIND PORT`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["launched", "mounted"])
    parser.add_argument("port", type=int)
    options = parser.parse_args()
    import tempfile

    from affetto.apps.studio.settings import Settings

    settings = Settings(Path(tempfile.mkdtemp()), port=options.port)
    settings.jobs.mkdir(parents=True)
    os.environ["GRADIO_TEMP_DIR"] = str(settings.uploads)
    import gradio as gr

    from affetto.apps.studio.desk import Desk
    from affetto.apps.studio.page import build_page

    page = build_page(Desk(settings))
    auth = tuple(word.split(":")) if (word := os.environ.get("BARE_AUTH")) else None
    if options.kind == "launched":
        page.launch(server_port=options.port, auth=auth, quiet=True)
    else:
        import uvicorn
        from fastapi import FastAPI

        app = gr.mount_gradio_app(FastAPI(), page, path="", auth=auth)
        uvicorn.run(app, port=options.port, log_level="error")


@contextlib.contextmanager
def running(kind: str, folder: Path, *, auth: str | None = None) -> Iterator[Server]:
    """A studio: "ours", "launched" or "mounted" (Gradio's two ways, all by default)."""
    home = folder / f"{kind}{'_closed' if auth else ''}"
    home.mkdir(parents=True, exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = Path(__file__).resolve()
    ours = [str(Path(sys.executable).parent / "affetto"), "studio", "--no-browser", "--port"]
    command = ours if kind == "ours" else [sys.executable, str(script), kind]
    given = {"HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache"), "PYTHONUNBUFFERED": "1"}
    if auth:
        given["AFFETTO_STUDIO_AUTH" if kind == "ours" else "BARE_AUTH"] = auth
    process = subprocess.Popen(
        [*command, str(port)],
        cwd=home,
        env=os.environ | given,
        stdout=(home / "said.txt").open("wb"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    server = Server(port, process.pid, home)
    try:
        ends = time.monotonic() + START_S
        while server.ask("GET", "/").status == 0:
            if process.poll() is not None or time.monotonic() > ends:
                raise RuntimeError(f"{kind} did not start: {(home / 'said.txt').read_text()}")
            time.sleep(0.2)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
