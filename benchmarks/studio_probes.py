"""Attacks on a served studio: none may get through. Control: the same page on a bare Gradio.

    python benchmarks/studio_probes.py

Each probe is True where it reached what it wanted: the text of a file that is not the studio's, a
connection to an address it named, an answer to a foreign site, more bytes than allowed, a job
without the queue or the password. "launched" and "mounted" are Gradio's own two ways to serve.
"""

import argparse
import itertools
import json
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

from studio_servers import Server, running

SECRET = "the moon is made of violets"
FILE = "/gradio_api/file="
EXAMPLES = Path(__file__).parents[1] / "apps" / "studio" / "examples"
FILM = EXAMPLES / "lantern_boat.mp4"
SIZE = 210_000_000
AUTH = "ann:open sesame"
Probe = Callable[[Server], bool]
PROBES: list[tuple[str, str, Probe]] = []
CLOSED: list[tuple[str, str, Probe]] = []


class Listener:
    """Counts who connects: what a request forged on the server's side would reach."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.count = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            line, _ = self.socket.accept()
            self.count += 1
            line.settimeout(2)
            try:
                line.recv(4000)
                line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 27\r\n\r\n" + SECRET.encode())
            except OSError:
                pass
            line.close()


LISTENER = Listener()


def reached(act: Callable[[], object]) -> bool:
    """Whether doing something made the server connect to us."""
    before = LISTENER.count
    act()
    return LISTENER.count > before


def has_secret(server: Server, path: str, **headers: str) -> bool:
    """Whether a path answers with the secret, or with the accounts of this machine."""
    body = server.ask("GET", path, **headers).body
    return SECRET.encode() in body or b"root:x:0" in body


def own(server: Server) -> str:
    """The folder of a file that was just uploaded."""
    return str(Path(json.loads(server.upload(b"a").body)[0]).parent)


def shown(path: object) -> dict[str, object]:
    """A file as a client names it."""
    return {"path": str(path), "meta": {"_type": "gradio.FileData"}}


def add(group: str, **probes: Probe) -> None:
    """Note probes of a group; underscores in names are blanks."""
    PROBES.extend((group, name.replace("_", " ").strip(), probe) for name, probe in probes.items())


def add_closed(**probes: Probe) -> None:
    """Note probes against a studio with a password."""
    CLOSED.extend(("no password", name.replace("_", " "), one) for name, one in probes.items())


add(
    "reading files",
    absolute=lambda s: has_secret(s, f"{FILE}/etc/passwd"),
    up_from_the_uploads=lambda s: has_secret(s, f"{FILE}{own(s)}/{'../' * 20}etc/passwd"),
    up_encoded=lambda s: has_secret(s, f"{FILE}{own(s)}/{'%2e%2e%2f' * 20}etc/passwd"),
    up_encoded_twice=lambda s: has_secret(s, f"{FILE}{own(s)}/{'%252e%252e%252f' * 20}etc/passwd"),
    with_backslashes=lambda s: has_secret(s, f"{FILE}..%5c..%5c..%5cetc%5cpasswd"),
    two_slashes=lambda s: has_secret(s, f"{FILE}//etc/passwd"),
    file_address=lambda s: has_secret(s, f"{FILE}file:///etc/passwd"),
    a_byte_of_zero=lambda s: has_secret(s, f"{FILE}/etc/passwd%00.mp4"),
    secret_in_the_working_folder=lambda s: has_secret(s, f"{FILE}{s.folder}/secret.txt"),
    relative=lambda s: has_secret(s, f"{FILE}secret.txt"),
    source_of_the_program=lambda s: (
        b"def main" in s.ask("GET", f"{FILE}{Path(__file__).resolve()}").body
    ),
    environment=lambda s: b"HOME=" in s.ask("GET", f"{FILE}/proc/self/environ").body,
    static=lambda s: has_secret(s, f"/static/{'../' * 20}etc/passwd"),
    static_encoded=lambda s: has_secret(s, f"/static/{'%2e%2e/' * 20}etc/passwd"),
    assets=lambda s: has_secret(s, f"/assets/..%2f{'..%2f' * 20}etc/passwd"),
    custom_component=lambda s: has_secret(
        s, f"/gradio_api/custom_component/x/client/component/{'..%2f' * 9}etc/passwd"
    ),
    older_address=lambda s: has_secret(s, "/gradio_api/file//etc/passwd"),
    a_link_inside_the_uploads=lambda s: has_secret(s, f"{FILE}{linked(s)}"),
)
add(
    "naming files",
    client_says_path=lambda s: s.call("verify", [shown(s.folder / "film.mp4")]).startswith("compl"),
    path_with_a_good_address=lambda s: s.call(
        "verify",
        [shown(s.folder / "film.mp4") | {"url": f"http://{s.host}{FILE}x"}],
    ).startswith("compl"),
    path_up_from_uploads=lambda s: s.call(
        "verify", [shown(f"{own(s)}/../../../{'../' * 20}{s.folder}/film.mp4")]
    ).startswith("compl"),
    path_as_text=lambda s: s.call("verify", [str(s.folder / "film.mp4")]).startswith("compl"),
    path_through_a_link=lambda s: s.call(
        "verify", [shown(linked(s, s.folder / "film.mp4", "film.mp4"))]
    ).startswith("compl"),
    emotion_like_a_file=lambda s: talked(s, f"like:{s.folder}/film.mp4"),
    emotion_from_a_file=lambda s: talked(s, f"{s.folder}/keys.csv"),
    folders_in_results=lambda s: (
        str(s.folder).encode() in s.call("verify", [shown(uploaded(s, FILM))]).encode()
    ),
)
add(
    "server-side requests",
    file_of_an_address=lambda s: reached(
        lambda: s.ask("GET", f"{FILE}http://127.0.0.1:{LISTENER.port}/")
    ),
    file_by_name=lambda s: reached(
        lambda: s.ask("GET", f"{FILE}http://localhost:{LISTENER.port}/")
    ),
    file_by_number=lambda s: reached(
        lambda: s.ask("GET", f"{FILE}http://2130706433:{LISTENER.port}/")
    ),
    metadata_of_a_cloud=lambda s: (
        s.ask("GET", f"{FILE}http://169.254.169.254/latest/meta-data/", timeout_s=20).status == 200
    ),
    proxy=lambda s: reached(
        lambda: s.ask("GET", f"/gradio_api/proxy=http://127.0.0.1:{LISTENER.port}/")
    ),
    proxy_to_a_space=lambda s: (
        s.ask("GET", "/gradio_api/proxy=https://x.hf.space/", timeout_s=20).status == 200
    ),
    address_as_a_path=lambda s: reached(
        lambda: s.call("verify", [shown(f"http://127.0.0.1:{LISTENER.port}/a.mp4")])
    ),
    address_beside_no_path=lambda s: reached(
        lambda: s.call(
            "talk",
            [{"path": None, "url": f"http://127.0.0.1:{LISTENER.port}/a.jpg"}, None, "happy", None,
             True, 0, 1],
        )
    ),
    playlist_as_a_film=lambda s: reached(lambda: s.call("verify", [shown(playlist(s))])),
)  # fmt: skip
add(
    "foreign sites",
    name_of_another_host=lambda s: s.ask("GET", "/config", Host="evil.example").status == 200,
    name_that_begins_like_ours=lambda s: (
        s.ask("GET", "/config", Host="127.0.0.1.evil.example").status == 200
    ),
    forwarded_host=lambda s: (
        b"evil.example" in s.ask("GET", "/config", X_Forwarded_Host="evil.example").body
    ),
    own_server_header=lambda s: (
        b"evil.example" in s.ask("GET", "/config", X_Gradio_Server="http://evil.example").body
    ),
    upload_from_another_site=lambda s: (
        s.upload(b"a", Origin="http://evil.example").status == 200
    ),
    upload_from_nowhere=lambda s: s.upload(b"a", Origin="null").status == 200,
    upload_from_another_port=lambda s: s.upload(b"a", Origin="http://127.0.0.1:1").status == 200,
    job_from_another_site=lambda s: joined(s, Origin="http://evil.example"),
    job_as_plain_text=lambda s: joined(s, Content_Type="text/plain", Sec_Fetch_Site="cross-site"),
    preflight=lambda s: (
        "access-control-allow-origin"
        in s.ask(
            "OPTIONS", "/gradio_api/queue/join", Origin="http://evil.example",
            Access_Control_Request_Method="POST",
        ).headers
    ),
    result_shown_elsewhere=lambda s: (
        s.ask("GET", f"{FILE}{own(s)}/a.txt", Sec_Fetch_Site="cross-site",
              Sec_Fetch_Mode="no-cors").status == 200
    ),
    page_in_a_frame=lambda s: (
        "frame-ancestors" not in s.ask("GET", "/").headers.get("content-security-policy", "")
    ),
)  # fmt: skip
add(
    "sizes",
    large_with_a_length=lambda s: s.upload(bytes(SIZE)).status == 200,
    large_without_a_length=lambda s: s.upload(zeros(SIZE)).status == 200,
    many_files_in_one=lambda s: s.ask(
        "POST", "/gradio_api/upload", many(SIZE), Content_Type="multipart/form-data; boundary=zz"
    ).status == 200,
    large_field=lambda s: large_field(s),
    large_JSON=lambda s: s.say("/gradio_api/call/verify", {"data": ["x" * 5_000_000]}).status == 200,
    deep_JSON=lambda s: s.ask(
        "POST", "/gradio_api/call/verify",
        b'{"data":' + b"[" * 900 + b"]" * 900 + b"}", Content_Type="application/json",
    ).status == 200,
)  # fmt: skip
add(
    "ways in",
    round_the_queue=lambda s: s.say(
        "/gradio_api/run/verify", {"data": [shown(uploaded(s, FILM))]}
    ).status == 200,
    a_page_uploaded=lambda s: inline(s, "a.html", b"<script>alert(1)</script>"),
    a_drawing_uploaded=lambda s: inline(s, "a.svg", b"<svg xmlns='x'><script/></svg>"),
    upload_outside=lambda s: "uploads" not in json.loads(s.upload(b"a", "../../x.txt").body)[0],
    header_in_a_file_name=lambda s: "x-evil" in s.ask(
        "GET", FILE + quote(json.loads(s.upload(b"a", "a%0d%0aX-Evil: 1.txt").body)[0])
    ).headers,
    header_in_an_address=lambda s: "x-evil" in s.ask(
        "GET", f"{FILE}/x%0d%0aX-Evil:%201"
    ).headers,
    monitoring=lambda s: s.ask("GET", "/monitoring").status == 200,
    numbers_of_all_jobs=lambda s: s.ask("GET", "/monitoring/summary").status == 200,
    link_to_a_session=lambda s: (
        s.ask("GET", "/gradio_api/deep_link?session_hash=x").status == 200
    ),
    history_of_runs=lambda s: s.ask("GET", "/gradio_api/runs").status == 200,
    recorder=lambda s: s.ask(
        "POST", "/gradio_api/process_recording", b"", Content_Type="multipart/form-data"
    ).status not in (0, 401, 403, 404, 405),
    page_docs=lambda s: s.ask("GET", "/docs").status == 200,
    upgrade_to_a_socket=lambda s: s.ask(
        "GET", "/gradio_api/queue/join", Connection="Upgrade", Upgrade="websocket",
        Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==", Sec_WebSocket_Version="13",
    ).status == 101,
    events_of_a_session_that_is_none=lambda s: b"process_" in s.ask(
        "GET", "/gradio_api/queue/data?session_hash=x", timeout_s=15, most=2000
    ).body,
    other_methods=lambda s: s.ask("PUT", "/gradio_api/upload", b"a").status == 200
    or s.ask("DELETE", FILE + own(s)).status == 200,
    two_hosts=lambda s: b" 200 " in raw(
        s, f"GET /config HTTP/1.1\r\nHost: {s.host}\r\nHost: evil.example\r\n\r\n"
    )[:20],
    request_behind_a_request=lambda s: b" 200 " in raw(
        s, f"POST /gradio_api/upload HTTP/1.1\r\nHost: {s.host}\r\nContent-Length: 4\r\n"
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /config HTTP/1.1\r\nHost: evil\r\n\r\n"
    ),
)  # fmt: skip
add_closed(
    page=lambda s: b"gradio_config" in s.ask("GET", "/").body
    and b'"auth_required":true' not in s.ask("GET", "/").body,
    configuration=lambda s: s.ask("GET", "/config").status == 200,
    description=lambda s: s.ask("GET", "/gradio_api/info").status == 200,
    upload=lambda s: s.upload(b"a").status == 200,
    job=lambda s: joined(s),
    stream_of_another=lambda s: s.say("/gradio_api/stream/x/close", {}).status not in (401, 404),
    heartbeat=lambda s: s.ask("GET", "/gradio_api/heartbeat/x", timeout_s=3, most=5).status == 200,
    stopping_of_others=lambda s: s.say(
        "/gradio_api/cancel", {"session_hash": "x", "fn_index": 0, "event_id": "y"}
    ).status == 200,
    startup=lambda s: s.ask("GET", "/gradio_api/startup-events").status == 200,
    wrong_word=lambda s: s.ask("GET", "/config", Authorization=basic("ann:x")).status == 200,
    empty_word=lambda s: s.ask("GET", "/config", Authorization=basic("ann:")).status == 200,
    no_user=lambda s: s.ask("GET", "/config", Authorization=basic(":")).status == 200,
    way_round_by_the_health_page=lambda s: s.ask("GET", "/healthz/../config").status == 200,
    cookie_of_ones_own=lambda s: s.ask("GET", "/config", Cookie="access-token-x=y").status == 200,
)  # fmt: skip


def basic(word: str) -> str:
    """A password as HTTP sends it."""
    import base64

    return "Basic " + base64.b64encode(word.encode()).decode()


def raw(server: Server, text: str) -> bytes:
    """What a server answers to exactly this."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as line:
        line.sendall(text.encode())
        said = b""
        try:
            while piece := line.recv(65_536):
                said += piece
        except OSError:
            pass
    return said


def linked(server: Server, target: Path = Path("/etc/passwd"), name: str = "link") -> Path:
    """A symbolic link inside the uploads, as if somebody had managed to make one."""
    link = Path(own(server)) / name
    link.unlink(missing_ok=True)
    link.symlink_to(target)
    return link


def uploaded(server: Server, path: Path) -> str:
    """Where an upload lies."""
    return str(json.loads(server.upload(path.read_bytes(), path.name).body)[0])


def playlist(server: Server) -> str:
    """A list of addresses that calls itself a film."""
    text = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:{LISTENER.port}/a.ts\n"
    return str(json.loads(server.upload(text.encode(), "a.mp4").body)[0])


def talked(server: Server, emotion: str) -> bool:
    """Whether a talking film was made with an emotion."""
    files = [shown(uploaded(server, EXAMPLES / name)) for name in
             ("mona_lisa.jpg", "mona_lisa_speaks.flac")]  # fmt: skip
    return server.call("talk", [*files, emotion, None, True, 0, 1]).startswith("complete")


def joined(server: Server, **headers: str) -> bool:
    """Whether a job was taken in."""
    return server.say("/gradio_api/call/verify", {"data": [None]}, **headers).status == 200


def inline(server: Server, name: str, data: bytes) -> bool:
    """Whether an upload is shown as a page of this site, free to run scripts."""
    place = json.loads(server.upload(data, name).body)[0]
    headers = server.ask("GET", FILE + quote(place)).headers
    attached = headers.get("content-disposition", "").startswith("attachment")
    return not attached and "sandbox" not in headers.get("content-security-policy", "")


def zeros(size: int) -> Iterator[bytes]:
    """A body in pieces, of no stated length."""
    yield from itertools.repeat(bytes(1_000_000), size // 1_000_000)


def many(size: int) -> Iterator[bytes]:
    """Files of 10 MB in one form, each within the limit."""
    for number in range(size // 10_000_000):
        yield (f'--zz\r\nContent-Disposition: form-data; name="files"; filename="{number}"\r\n\r\n'
               ).encode()  # fmt: skip
        yield from zeros(10_000_000)
        yield b"\r\n"
    yield b"--zz--\r\n"


def large_field(server: Server) -> bool:
    """A field that is no file is kept in memory."""
    head = b'--zz\r\nContent-Disposition: form-data; name="x"\r\n\r\n'
    body = itertools.chain([head], zeros(SIZE), [b"\r\n--zz--\r\n"])
    kind = {"Content_Type": "multipart/form-data; boundary=zz"}
    return server.ask("POST", "/gradio_api/upload", body, **kind).status == 200


def main() -> None:
    """All probes against all servers, and the result file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, default=Path("runs/studio_probes"))
    options = parser.parse_args()
    folder = options.folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    through: dict[tuple[str, str], dict[str, bool]] = {}
    for kind in ("ours", "launched", "mounted"):
        for probes, auth in ((PROBES, None), (CLOSED, AUTH)):
            with running(kind, folder, auth=auth) as server:
                (server.folder / "secret.txt").write_text(SECRET)
                (server.folder / "keys.csv").write_text("time,emotion\n0,happy\n")
                shutil.copyfile(FILM, server.folder / "film.mp4")
                if auth is None:  # or nothing below would mean anything
                    assert server.call("verify", [shown(uploaded(server, FILM))])[:8] == "complete"
                for group, name, probe in probes:
                    try:
                        got = probe(server)
                    except (OSError, ValueError, LookupError):  # an answer of no use to anybody
                        got = False
                    through.setdefault((group, name), {})[kind] = got
                    print(kind, group, name, "THROUGH" if got else "-", flush=True)
                assert server.ask("GET", "/", Authorization=basic(AUTH)).status == 200
    report(through)


def report(through: dict[tuple[str, str], dict[str, bool]]) -> None:
    """The table."""
    from result_file import write_result

    counts = {kind: sum(row[kind] for row in through.values()) for kind in
              ("ours", "launched", "mounted")}  # fmt: skip
    lines = [
        "Attacks on a served studio: what got through",
        "",
        f"Of {len(through)} probes {counts['ours']} got through (bar: 0). Control, the same page on "
        f"Gradio as it is by default: {counts['launched']} with `launch()`, {counts['mounted']} "
        "with `mount_gradio_app`. Not each of these is a fault of Gradio: without a limit on "
        "uploads a large one is let through, as documented.",
        "",
        "| what | probe | studio | Gradio launched | Gradio mounted |",
        "| --- | --- | --- | --- | --- |",
    ]
    for (group, name), row in through.items():
        cells = ["**through**" if row[kind] else "-" for kind in ("ours", "launched", "mounted")]
        lines.append(f"| {group} | {name} | " + " | ".join(cells) + " |")
    write_result(
        "studio_probes",
        "\n".join(lines),
        command="python benchmarks/studio_probes.py",
        packages=("gradio", "starlette", "uvicorn"),
    )


if __name__ == "__main__":
    main()
