"""The studio's guard: what is let through to the page, and what is not."""

import asyncio
import base64
import json
from dataclasses import replace
from pathlib import Path

import pytest

from affetto.apps.studio.desk import RESULT, Desk
from affetto.apps.studio.guard import Guard, folder_bytes
from affetto.apps.studio.server import blocked_paths, check_open
from affetto.apps.studio.settings import Settings
from affetto.errors import ResourceError, UsageError

HOST = "127.0.0.1:7860"
PASSED = 299  # the status that the page behind the guard answers with


async def page(scope, receive, send):
    """Reads the body and says how long it was."""
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message["body"]), message["more_body"]
    headers = [(b"x-size", str(size).encode()), (b"access-control-allow-origin", b"*")]
    await send({"type": "http.response.start", "status": PASSED, "headers": headers})
    await send({"type": "http.response.body", "body": b"page"})


@pytest.fixture
def settings(tmp_path):
    made = Settings(tmp_path / "studio", max_upload_bytes=1000, max_request_bytes=500)
    made.jobs.mkdir(parents=True)
    return made


def ask(settings, method="GET", path="/", *, body=b"", host=HOST, parts=1, **headers):
    """(status, headers) of a request, its body in `parts` pieces."""
    said = []
    size = -(-len(body) // parts) or 1
    pieces = [body[at : at + size] for at in range(0, len(body), size)] or [b""]
    coming = [
        {"type": "http.request", "body": piece, "more_body": number < len(pieces) - 1}
        for number, piece in enumerate(pieces)
    ]

    async def receive():
        return coming.pop(0) if coming else {"type": "http.disconnect"}

    async def send(message):
        said.append(message)

    named = [(b"host", host.encode())]
    named += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "headers": named, "query_string": b""}
    asyncio.run(Guard(page, settings)(scope, receive, send))
    return said[0]["status"], dict(said[0]["headers"])


def say(settings, content, **headers):
    """The status of a JSON request."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    json_type = {"content_type": "application/json"}
    return ask(settings, "POST", "/gradio_api/queue/join", body=body, **json_type | headers)[0]


def test_the_page_passes_with_our_headers(settings):
    status, headers = ask(settings)
    assert status == PASSED
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert headers[b"referrer-policy"] == b"no-referrer"
    assert b"frame-ancestors 'none'" in headers[b"content-security-policy"]
    assert b"access-control-allow-origin" not in headers
    assert ask(settings, path="/healthz")[0] == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", PASSED),
        ("LOCALHOST:1", PASSED),
        ("[::1]:7860", PASSED),
        ("127.9.9.9", PASSED),
        ("evil.example", 400),
        ("127.0.0.1.evil.example", 400),
        ("localhost@evil.example", 400),
        ("10.0.0.7", 400),
        ("", 400),
    ],
)
def test_only_our_own_names(settings, host, status):
    assert ask(settings, host=host)[0] == status


def test_names_of_an_open_studio(tmp_path):
    wide = Settings(tmp_path, host="0.0.0.0", insecure=True, names=("studio.example.org",))
    statuses = [
        ask(wide, host=host)[0] for host in ("studio.example.org", "10.0.0.7:80", "evil.example")
    ]
    assert statuses == [PASSED, PASSED, 400]


@pytest.mark.parametrize(
    "path",
    ["/docs", "/monitoring", "/gradio_api/proxy=http://x", "/gradio_api/vibe-code", "/login",
     "/gradio_api/deep_link", "/gradio_api/stream/x", "/static/../../etc/passwd", "/gradio_api/mcp",
     "/gradio_api/run-history/records", "/gradio_api/process_recording", "/gradio_api/file/etc"],
)  # fmt: skip
def test_what_the_page_does_not_need_is_not_there(settings, path):
    assert ask(settings, path=path)[0] == 404


def test_only_our_own_pages_write(settings):
    assert say(settings, {}) == PASSED  # a program
    assert say(settings, {}, origin=f"http://{HOST}") == PASSED
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1", f"http://{HOST}.x"):
        assert say(settings, {}, origin=origin) == 403
    assert say(settings, {}, sec_fetch_site="cross-site") == 403
    assert ask(settings, sec_fetch_site="cross-site", sec_fetch_mode="navigate")[0] == PASSED
    assert ask(settings, path="/config", sec_fetch_site="same-site")[0] == 403
    assert ask(settings, "DELETE")[0] == 405
    assert say(settings, {}, content_type="text/plain") == 415


def test_only_files_of_the_studio(settings, tmp_path):
    own = settings.uploads / "a.txt"
    own.write_text("a")
    (settings.uploads / "link").symlink_to("/etc")
    file = "/gradio_api/file="
    assert ask(settings, path=f"{file}{own}")[0] == PASSED
    for bad in ("/etc/passwd", f"{settings.uploads}/../../x", f"{settings.uploads}/link/passwd",
                "http://127.0.0.1/", "a.txt", f"{own}/%2e%2e/../../x", "/\0"):  # fmt: skip
        assert ask(settings, path=f"{file}{bad}")[0] in (403, 404), bad


def test_clients_name_no_files(settings):
    own = str(settings.uploads / "a.txt")
    given = {"meta": {"_type": "gradio.FileData"}}
    assert say(settings, {"data": [given | {"path": own, "url": "https://x/y"}]}) == PASSED
    assert say(settings, {"data": [{"path": None, "url": None}]}) == PASSED
    for bad in ({"path": "/etc/passwd"}, {"path": "http://169.254.169.254/"}, {"path": 3},
                {"path": None, "url": "http://127.0.0.1/"}, {"url": "https://x"}):  # fmt: skip
        assert say(settings, {"data": [[given | bad]]}) == 403, bad
    assert say(settings, b"[" * 400) == 400
    assert say(settings, b"{") == 400


def test_sizes(settings):
    upload = "/gradio_api/upload"
    assert ask(settings, "POST", upload, body=bytes(900), content_length="900")[0] == PASSED
    assert ask(settings, "POST", upload, content_length="1001")[0] == 413
    assert ask(settings, "POST", upload, content_length="-1")[0] == 400
    assert say(settings, bytes(501)) == 413
    with pytest.raises(Exception, match="maximum allowed size"):  # the parser's own, to clean up
        ask(settings, "POST", upload, body=bytes(1001), parts=7)


def test_full_folder_refuses_uploads(settings, tmp_path):
    small = Settings(settings.folder, max_upload_bytes=1000, max_folder_bytes=1500)
    (settings.uploads / "a").write_bytes(bytes(600))
    assert folder_bytes(settings.uploads) == 600
    assert ask(small, "POST", "/gradio_api/upload", content_length="900")[0] == PASSED
    assert ask(small, "POST", "/gradio_api/upload")[0] == 507  # may become the full 1000


def test_password(tmp_path, monkeypatch):
    monkeypatch.setattr("affetto.apps.studio.guard.WRONG_PASSWORD_S", 0.0)
    closed = Settings(tmp_path, host="0.0.0.0", auth=("ann", "s:cret"))

    def status(word):
        return ask(closed, authorization="Basic " + base64.b64encode(word).decode())[0]

    assert ask(closed)[0] == 401
    assert ask(closed, path="/healthz")[0] == 200
    assert status(b"ann:s:cret") == PASSED
    assert [status(word) for word in (b"ann:", b"", b":", b"ann:s:cre")] == [401] * 4
    assert ask(closed, authorization="Basic %%")[0] == 401


def test_open_to_others_only_on_purpose(tmp_path):
    with pytest.raises(UsageError, match="--auth"):
        check_open(Settings(tmp_path, host="0.0.0.0"))
    for settings in (
        Settings(tmp_path, host="::1"),
        Settings(tmp_path, host="0.0.0.0", insecure=True),
        Settings(tmp_path, host="0.0.0.0", auth=("a", "b")),
    ):
        check_open(settings)


def test_all_but_the_studio_is_blocked(settings):
    blocked = blocked_paths(settings.uploads)
    assert "/etc" in blocked
    assert not any(str(settings.uploads).startswith(f"{one}/") for one in blocked)


def test_what_a_proxy_says_is_checked_too(settings):
    assert ask(settings, x_forwarded_host="localhost", x_forwarded_proto="https")[0] == PASSED
    assert ask(settings, x_forwarded_host="evil.example")[0] == 400
    assert ask(settings, x_forwarded_proto="javascript")[0] == 400
    assert ask(settings, x_gradio_server="http://evil.example")[0] == 400


@pytest.mark.parametrize(("verb", "said"), [("talk", "memory"), ("score", "not done within")])
def test_a_job_takes_no_more_than_allowed(settings, monkeypatch, verb, said):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    limits = {"job_limit_s": 2.0, "job_memory_mb": 400}
    desk = Desk(replace(settings, **limits), performer="studio_greed:perform")
    try:
        with pytest.raises(ResourceError, match=said):
            list(desk.run(verb, {"out": RESULT}, session="a"))
    finally:
        desk.close()
