"""How long a newcomer waits: from `affetto studio` to a usable page, and to a film by one click.

    python benchmarks/studio_start.py [--rounds 3]

Each round starts the studio anew, opens its page in headless Chromium at once, and clicks the
example's button as soon as it can be clicked. The clip is the bundled one of 5.15 s, 512 pixels.
Needs `pip install 'affetto[studio,browser]'` and a Chromium on the path.
"""

import argparse
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager

from playwright.sync_api import sync_playwright
from result_file import write_result

MOST_PAGE_S, MOST_CLIP_S = 15.0, 40.0
PATIENCE_S = 240.0
NAMES = (
    "page usable",
    "first seconds of the film to be seen",
    "film done and shown",
    "click to film",
)


def main() -> None:
    """Measure and write the result file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    seen = [one_round() for _ in range(rounds)]
    columns = list(zip(*seen, strict=True))
    page, film = max(columns[0]), max(columns[2])
    lines = [
        "# From `affetto studio` to a page and to a talking clip",
        "",
        f"{rounds} rounds, each with a new server and a new browser; seconds since the command.",
        "",
        "| what | median | most | must be |",
        "| --- | --- | --- | --- |",
    ]
    for name, column, most in zip(
        NAMES, columns, (MOST_PAGE_S, None, MOST_CLIP_S, None), strict=True
    ):
        bar = "-" if most is None else f"<= {most:g} s"
        lines.append(
            f"| {name} | {statistics.median(column):.1f} s | {max(column):.1f} s | {bar} |"
        )
    reached = page <= MOST_PAGE_S and film <= MOST_CLIP_S
    lines += ["", "Both bars are met." if reached else "A bar is missed."]
    write_result(
        "studio_start",
        "\n".join(lines),
        command=f"python benchmarks/studio_start.py --rounds {rounds}",
        packages=("gradio", "torch", "playwright"),
    )


def one_round() -> tuple[float, float, float, float]:
    """Seconds from the command to page, first frames and film; and from click to film."""
    port = free_port()
    started = time.perf_counter()
    with studio(port), sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page()
        wait_for(port)
        page.goto(f"http://127.0.0.1:{port}/")
        button = page.get_by_role("button", name="Make it talk")
        button.click(timeout=1000 * PATIENCE_S)
        usable = time.perf_counter()
        page.locator("video:visible").first.wait_for(timeout=1000 * PATIENCE_S)
        first = time.perf_counter()
        page.locator(".s-done:visible").wait_for(timeout=1000 * PATIENCE_S)
        done = time.perf_counter()
        browser.close()
    found = (usable - started, first - started, done - started, done - usable)
    print(", ".join(f"{name} {value:.1f} s" for name, value in zip(NAMES, found, strict=True)))
    return found


@contextmanager
def studio(port: int):
    """`affetto studio` at a port, ended at the end."""
    words = [
        sys.executable,
        "-m",
        "affetto.apps.cli",
        "studio",
        "--port",
        str(port),
        "--no-browser",
    ]
    server = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)


def wait_for(port: int) -> None:
    """Until the server answers."""
    ends = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the studio did not start")


def free_port() -> int:
    """A port nobody uses now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
