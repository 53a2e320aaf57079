"""Draw docs/figures/studio_*.jpg, what docs/start.md shows: `python docs/make_studio_pictures.py`.

Uses the studio's own examples in a headless Chromium; needs `pip install 'affetto[browser]'`.
"""

import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

FIGURES = Path(__file__).parent / "figures"
PORT = 7871
ADDRESS = f"http://127.0.0.1:{PORT}/"
WIDTH = 1280
SHOWN = {"width": WIDTH, "height": 900}
PATIENCE_MS = 180_000
QUALITY = 68


def main() -> None:
    """Start a studio, use it, keep what is seen."""
    with tempfile.TemporaryDirectory() as cache:
        words = [sys.executable, "-m", "affetto.apps.cli", "studio", "--no-browser"]
        server = subprocess.Popen(
            [*words, "--port", str(PORT)], env=os.environ | {"XDG_CACHE_HOME": cache}
        )
        try:
            wait()
            with sync_playwright() as play:
                browser = play.chromium.launch(
                    executable_path=shutil.which("chromium"), args=["--no-sandbox"]
                )
                use(browser.new_page(viewport=SHOWN, accept_downloads=True), Path(cache))
        finally:
            server.terminate()
            server.wait()


def wait() -> None:
    """Until the studio answers."""
    while True:
        try:
            urllib.request.urlopen(ADDRESS, timeout=2).close()
        except OSError:
            time.sleep(0.2)
        else:
            return


def use(page: Page, folder: Path) -> None:
    """The five minutes: a film, its origin, music."""
    page.goto(ADDRESS)
    page.get_by_role("button", name="Sad, then hopeful").click()
    page.get_by_role("figure").wait_for()
    done(page, "Make it talk")
    page.locator("video:visible").evaluate("film => { film.currentTime = 4.8 }")
    keep(page, "studio_talk", height=1180)
    with page.expect_download() as waited:
        page.get_by_role("tabpanel").get_by_role("button", name="Download").first.click()
    film = folder / "talk.mp4"
    waited.value.save_as(film)
    page.get_by_role("tab", name="Soundtrack").click()
    done(page, "Compose")
    page.locator("video:visible").last.evaluate("film => { film.currentTime = 6 }")
    keep(page, "studio_soundtrack", height=1240)
    page.get_by_role("tab", name="Verify").click()
    page.locator("[role=tabpanel]:visible input[type=file]").set_input_files(film)
    done(page, "Verify")
    keep(page, "studio_verify", height=640)


def done(page: Page, start: str) -> None:
    """Press a tab's button and wait for its result."""
    panel = page.locator("[role=tabpanel]:visible")
    panel.get_by_role("button", name=start, exact=True).click()
    panel.locator(".s-done").wait_for(timeout=PATIENCE_MS)


def keep(page: Page, name: str, *, height: int) -> None:
    """The upper part of the page as a small JPEG."""
    page.wait_for_timeout(1500)
    picture = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
    picture = picture.crop((0, 0, WIDTH, min(height, picture.height)))
    picture.save(FIGURES / f"{name}.jpg", quality=QUALITY, optimize=True)


if __name__ == "__main__":
    main()
