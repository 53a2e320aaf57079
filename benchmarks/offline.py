"""Every command in a network namespace that has nothing but loopback, its system calls watched.

    python benchmarks/offline.py          (Linux, with unshare and strace)

All must work, and none may even try to reach another machine: `connect` and the `send` calls are
traced in the process and all it starts. Control: a program that does try is seen trying.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from studio_probes import FILM, shown, uploaded
from studio_servers import running

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "apps" / "studio" / "examples"
CALLS = "connect,sendto,sendmsg,sendmmsg"
# Addresses of other machines in a line of strace.
OUTWARD = re.compile(
    r'inet_addr\("(?!127\.|0\.0\.0\.0)[\d.]+"\)|inet_pton\(AF_INET6, "(?!::1"|::"|::ffff:127\.)'
)
LIMIT_S = 600
TRY = "import socket; socket.create_connection(('192.0.2.1', 80), 1)"
ASK = "import socket; socket.getaddrinfo('affetto.example', 80)"


@dataclass(frozen=True)
class Outcome:
    """Of one command.

    Attributes:
        name: the command, shortened.
        code: its exit code.
        attempts: lines of strace that name another machine.
        loopback: how many that name this one.
        took_s: wall time under strace.
    """

    name: str
    code: int
    attempts: list[str]
    loopback: int
    took_s: float


def commands(out: Path) -> dict[str, list[str]]:
    """Name -> words; each uses what those before it made."""
    program = str(Path(sys.executable).parent / "affetto")
    speech, photo = str(EXAMPLES / "mona_lisa_speaks.flac"), str(EXAMPLES / "mona_lisa.jpg")
    talk = [program, "talk", photo, speech, "--emotion", "0=sad; 2=happy:0.8"]
    return {
        "affetto doctor": [program, "doctor"],
        "affetto talk": [*talk, "--size", "128", "--out", str(out / "talk")],
        "affetto soundtrack": [program, "soundtrack", str(FILM), "--out", str(out / "music")],
        "affetto recognize": [program, "recognize", str(out / "talk" / "talk.mp4")],
        "affetto score": [
            program,
            "score",
            str(out / "talk" / "talk.mp4"),
            "--request",
            "happy",
            "--judge",
            "face-judge",
        ],
        "affetto verify": [program, "verify", str(out / "talk" / "talk.mp4")],
        "affetto studio, its page and two jobs": [sys.executable, __file__, "--studio", str(out)],
        "import affetto.api": [sys.executable, "-c", "from affetto import api; api.recognize"],
        "control: connects outward": [sys.executable, "-c", TRY],
        "control: looks up a name": [sys.executable, "-c", ASK],
    }


def main() -> None:
    """Run all, and write the result file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--studio", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.studio:
        use_studio(options.studio)
        return
    for tool in ("unshare", "strace", "ip"):
        if shutil.which(tool) is None:
            sys.exit(f"skipped: no {tool} here (apt install strace util-linux iproute2)")
    out = Path("runs/offline").resolve()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    outcomes = [watched(name, words, out) for name, words in commands(out).items()]
    reported = sorted(str(p.relative_to(out)) for p in out.rglob("*elemetry*")) + sorted(
        str(p.relative_to(out)) for p in (out / "home" / ".cache").glob("Microsoft")
    )
    report(outcomes, reported)


def watched(name: str, words: list[str], out: Path) -> Outcome:
    """Run a command in a namespace of its own, under strace."""
    trace = out / f"trace{len(list(out.glob('trace*')))}.txt"
    inside = 'ip link set lo up && exec strace -f -qq -s 60 -e trace=$0 -o $1 -- "$@"'
    inside = inside.replace('"$@"', '"${@:2}"')
    (out / "home").mkdir(exist_ok=True)
    began = time.monotonic()
    done = subprocess.run(
        ["unshare", "--map-root-user", "--net", "bash", "-c", inside, CALLS, str(trace), *words],
        cwd=out,
        env=os.environ | {"HOME": str(out / "home"), "OMP_NUM_THREADS": "1"},
        stdout=(out / "said.txt").open("ab"),
        stderr=subprocess.STDOUT,
        timeout=LIMIT_S,
        check=False,
    )
    lines = trace.read_text(errors="replace").splitlines() if trace.exists() else []
    named = [line for line in lines if "AF_INET" in line]
    attempts = [line for line in named if OUTWARD.search(line)]
    outcome = Outcome(
        name, done.returncode, attempts, len(named) - len(attempts), time.monotonic() - began
    )
    print(outcome.name, outcome.code, len(outcome.attempts), outcome.loopback, flush=True)
    return outcome


def use_studio(out: Path) -> None:
    """Start a studio, load its page with all it links to, have a film verified and one made."""
    with running("ours", out / "studio") as server:
        page = server.ask("GET", "/").body.decode()
        for link in re.findall(r'(?:src|href)="\.?(/assets/[^"]+)"', page):
            assert server.ask("GET", link).status == 200, link
        assert server.call("verify", [shown(uploaded(server, FILM))]).startswith("complete")
        files = [shown(uploaded(server, EXAMPLES / name)) for name in
                 ("mona_lisa.jpg", "mona_lisa_speaks.flac")]  # fmt: skip
        told = server.call("talk", [*files, "happy:0.9", None, False, 0, 1])
        assert told.startswith("complete"), told


def report(outcomes: list[Outcome], reported: list[str]) -> None:
    """The table."""
    from result_file import write_result

    ours = [one for one in outcomes if not one.name.startswith("control")]
    lines = [
        "Without a network",
        "",
        "| command | exit code | attempts to reach another machine | calls on loopback |",
        "| --- | --- | --- | --- |",
    ]
    lines += [f"| {o.name} | {o.code} | {len(o.attempts)} | {o.loopback} |" for o in outcomes]
    lines += [
        "",
        f"{sum(one.code == 0 for one in ours)} of {len(ours)} work; "
        f"{sum(len(one.attempts) for one in ours)} outward attempts (bar: 0). Files of somebody's "
        f"telemetry left behind: {', '.join(reported) or 'none'}.",
    ]
    seen = sorted({OUTWARD.search(line)[0] for one in ours for line in one.attempts})
    lines += ["", f"Seen: {', '.join(seen)}"] if seen else []
    write_result(
        "offline",
        "\n".join(lines),
        command="python benchmarks/offline.py",
        packages=("gradio", "torch", "transformers", "onnxruntime"),
    )


if __name__ == "__main__":
    main()
