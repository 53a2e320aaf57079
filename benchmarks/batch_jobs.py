"""What the batch benchmarks share: small jobs, the command as a process, hashes of results."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import soundfile

from affetto.apps.batch.ledger import LEDGER, read_ledger

REPOSITORY = Path(__file__).parent.parent
SPEECH = REPOSITORY / "samples" / "mona_lisa_speaks.flac"
SINGLE = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
# What differs from run to run although the result is the same.
TIMES = ("wall_s", "cpu_s", "peak_rss_mb", "at")
OPENINGS = ("I never thought", "We were told", "Nobody believed", "It is said", "They all hoped")
ENDINGS = (
    "that this day would come, and now I cannot stop smiling.",
    "that the house is gone; there is nothing left to go back to.",
    "how loud it would be. Stop it, stop it at once!",
    "that the lake lies still in the morning and nobody calls.",
    "that something moves behind the door when the light is out.",
)


def write_jobs(folder: Path, count: int, *, sound_s: float) -> Path:
    """A manifest of `count` jobs: in ten, six recognize a text, three a voice, one scores a text."""
    folder.mkdir(parents=True, exist_ok=True)
    speech, rate = soundfile.read(SPEECH, dtype="int16")
    rows = []
    for number in range(count):
        row = {"id": f"job_{number:03d}", "do": "recognize", "only": ["text"]}
        if number % 10 in (2, 5, 8):
            start = int(number / count * max(0, len(speech) - sound_s * rate))
            row |= {"media": f"{number}.wav", "only": ["voice"]}
            soundfile.write(
                folder / row["media"], speech[start : start + int(sound_s * rate)], rate
            )
        else:
            row["media"] = f"{number}.txt"
            words = f"{OPENINGS[number % 5]} {ENDINGS[number // 5 % 5]} {number} times over."
            (folder / row["media"]).write_text(words)
        if number % 10 == 9:
            row = {"id": row["id"], "do": "score", "media": row["media"], "judge": "text"}
            row["request"] = "sad:0.7"
        rows.append(row)
    manifest = folder / "manifest.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return manifest


def start_batch(
    manifest: Path, out: Path, *words: str, environment: dict[str, str] | None = None
) -> subprocess.Popen:
    """`affetto batch` as a process."""
    command = [sys.executable, "-m", "affetto.apps.cli", "batch", manifest, "--out", out, "--quiet"]
    return subprocess.Popen(
        [*map(str, command), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | SINGLE | (environment or {}),
    )


def ledger(out: Path) -> list[dict]:
    """The whole lines of the ledger; none before there is one."""
    return list(read_ledger(out / LEDGER))


def hashes(out: Path) -> dict[str, str]:
    """For each item the hash of all its files, times and the place apart."""
    found = {}
    for folder in sorted(path for path in out.iterdir() if (path / "item.json").is_file()):
        whole = hashlib.sha256()
        for path in sorted(one for one in folder.rglob("*") if one.is_file()):
            whole.update(str(path.relative_to(folder)).encode())
            data = path.read_bytes()
            if path.suffix == ".json":
                text = json.dumps(_without_times(json.loads(data)), sort_keys=True)
                data = text.replace(str(out), "").encode()
            whole.update(data)
        found[folder.name] = whole.hexdigest()
    return found


def _without_times(value):
    if isinstance(value, dict):
        return {name: _without_times(one) for name, one in value.items() if name not in TIMES}
    return [_without_times(one) for one in value] if isinstance(value, list) else value
