"""A studio that runs, and a page of it in a headless Chromium whose every request is watched."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
import soundfile
from PIL import Image

ROOT = Path(__file__).parents[2]
START_S = 60
PATIENCE_MS = 180_000
NAMES = ("chromium", "chromium-browser", "google-chrome")
# A browser drops the stream of a queue when the page is left; nothing else may go wrong.
HARMLESS = ("net::ERR_ABORTED",)


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("browser")
            item.add_marker(pytest.mark.timeout(400))


@pytest.fixture(scope="session")
def studio(tmp_path_factory):
    """`affetto studio` as a person starts it: its address, and the folder its files lie in."""
    cache = tmp_path_factory.mktemp("cache")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [Path(sys.executable).parent / "affetto", "studio", "--no-browser"]
    with (cache / "said.txt").open("w") as said:
        server = subprocess.Popen(
            [*command, "--port", str(port)],
            env=os.environ | {"XDG_CACHE_HOME": str(cache)},
            stdout=said,
            stderr=subprocess.STDOUT,
        )
    address = f"http://127.0.0.1:{port}/"
    try:
        wait_for(address, server, cache / "said.txt")
        yield address, cache
    finally:
        server.terminate()
        server.wait(20)


def wait_for(address, server, said):
    ends = time.monotonic() + START_S
    while time.monotonic() < ends:
        assert server.poll() is None, said.read_text()
        try:
            urllib.request.urlopen(address, timeout=2).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"the studio did not start in {START_S} s: {said.read_text()}")


@pytest.fixture(scope="session")
def chromium():
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.exit(f"no {', '.join(NAMES)} here: install one (Debian: apt install chromium)", 2)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium, studio):
    """Opens the page at a width; in the end nothing was asked of any other machine."""
    address, _ = studio
    outside, broken, contexts = [], [], []

    def asked(request):
        if not request.url.startswith((address.rstrip("/"), "data:", "blob:")):
            outside.append(request.url)

    def failed(request):
        if request.failure not in HARMLESS:
            broken.append(f"{request.url}: {request.failure}")

    def at(width=1280, height=900, **look):
        context = chromium.new_context(viewport={"width": width, "height": height}, **look)
        contexts.append(context)
        context.set_default_timeout(20_000)
        context.on("request", asked)
        context.on("requestfailed", failed)
        page = context.new_page()
        page.on("pageerror", lambda error: broken.append(str(error)))
        page.goto(address)
        page.get_by_role("button", name="Make it talk").wait_for()
        return page

    yield at
    for context in contexts:
        context.close()
    assert not outside
    assert not broken


@pytest.fixture
def page(opened):
    return opened()


@pytest.fixture
def person(tmp_path):
    """A photo and a second of speech that the studio has not seen: somebody's own."""
    with Image.open(ROOT / "samples" / "mona_lisa.jpg") as picture:
        picture.resize((400, 400)).save(tmp_path / "me.jpg")
    wav, rate = soundfile.read(ROOT / "samples" / "mona_lisa_speaks.flac")
    soundfile.write(tmp_path / "me.wav", wav[:rate], rate)
    return tmp_path


class Tab:
    """A tab of the page, as somebody sees it."""

    def __init__(self, page, name):
        page.get_by_role("tab", name=name).click()
        self.page, self.panel = page, page.locator("[role=tabpanel]:visible")

    def button(self, name):
        return self.panel.get_by_role("button", name=name, exact=True)

    def status(self, kind, *, within_ms=PATIENCE_MS):
        """The sentence beside the button, once there is one of this kind: done, bad, idle, step."""
        found = self.panel.locator(f".s-{kind}:visible")
        found.wait_for(timeout=within_ms)
        return found.inner_text()

    def hand_in(self, label, path, *, instead=True):
        """Choose a file under a label, instead of the one that stands there."""
        block = self.panel.locator(".block", has=self.page.get_by_text(label, exact=True)).last
        clear = block.get_by_role("button", name="Clear").or_(
            block.get_by_role("button", name="Remove Image")
        )
        if instead:
            clear.first.click()
        block.locator("input[type=file]").set_input_files(path)

    def downloaded(self, button, folder):
        with self.page.expect_download() as waited:
            button.click()
        path = folder / waited.value.suggested_filename
        waited.value.save_as(path)
        return path


@pytest.fixture
def tab(page):
    return lambda name: Tab(page, name)
