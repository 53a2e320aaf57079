"""Signature, invisible mark and label: what holds, what does not, and what they cost.

    python benchmarks/provenance.py [--photos FOLDER] [--clips 1000]

Films are made by the product's own renderer of samples/mona_lisa.jpg and up to `PHOTOS` pictures of
--photos (nothing of them is kept), marked and labelled as `affetto talk` does. Every change a film
may go through on its way is made with PyAV on the delivered film (H.264, CRF 18).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import soundfile
from provenance_films import FPS, SAMPLES, SIDE, Frames, decoded, rendered, sized
from provenance_mark import ALLOWED_RATE, NEEDED_BITS, false_alarms, mark_table, size_table
from provenance_tampering import STATEMENT, tamper_table
from result_file import write_result

from affetto.apps.verify import verify
from affetto.credentials import load_credentials
from affetto.gen.portrait.render.analyse import analyse
from affetto.label import Label
from affetto.media_write import write_clip
from affetto.recognizers.face.picture import read_picture
from affetto.signature import sign
from affetto.watermark import NUM_BITS, Watermark

PHOTOS, ALLOWED_S = 7, 0.5


def delivered(folder: Path) -> tuple[str, bool]:
    """All mp4 and wav files of whole jobs, by the command line: how many verify as intact."""
    samples, rate = soundfile.read(SAMPLES / "mona_lisa_speaks.flac")
    soundfile.write(folder / "s.wav", samples[: 2 * rate], rate)
    film = folder / "f.mp4"
    frames = decoded(SAMPLES / "lantern_boat.mp4")[:144]
    write_clip(sized(frames, 320, 180), Fraction(24), film)
    states: dict[str, list[str]] = {"talk": [], "soundtrack": []}
    for seed in range(2):
        for verb, given in (
            ("talk", [SAMPLES / "mona_lisa.jpg", folder / "s.wav", "--size", 256]),
            ("soundtrack", [film]),
        ):
            out = folder / f"{verb}{seed}"
            words = [
                sys.executable,
                "-m",
                "affetto.apps.cli",
                verb,
                *given,
                "--out",
                out,
                "--seed",
                seed,
                "--quiet",
            ]
            subprocess.run(list(map(str, words)), check=True, capture_output=True)
            for path in sorted([*out.rglob("*.mp4"), *out.rglob("*.wav")]):
                verdict = verify(path)
                states[verb].append(verdict.state if verdict.signed_here else "foreign")
    rows = "\n".join(
        f"| {verb} | {len(of)} | {of.count('intact')} |" for verb, of in states.items()
    )
    good = all(of and set(of) == {"intact"} for of in states.values())
    return "| job | mp4 and wav files | signed and intact |\n| --- | --- | --- |\n" + rows, good


def costs(frames: Frames, folder: Path) -> tuple[str, bool]:
    label, mark = Label(width=SIDE, height=SIDE), Watermark()
    ten_seconds = [frames[index % len(frames)] for index in range(10 * FPS)]
    begin = time.process_time()
    labelled = [label.drawn(frame) for frame in ten_seconds]
    middle = time.process_time()
    marked = [mark.marked(frame) for frame in labelled]
    end = time.process_time()
    film = folder / "cost.mp4"
    write_clip(marked, Fraction(FPS), film)
    plain = folder / "plain.mp4"
    write_clip(labelled, Fraction(FPS), plain)
    grown = film.stat().st_size / plain.stat().st_size - 1
    wav = folder / "cost.wav"
    soundfile.write(wav, np.zeros((60 * 44_100, 2)), 44_100, subtype="PCM_24")
    times = []
    for path in (film, wav):
        for work in (
            lambda path=path: sign(path, STATEMENT, credentials=load_credentials()),
            lambda path=path: verify(path),
        ):
            start = time.process_time()
            work()
            times.append(time.process_time() - start)
    both = end - begin
    return (
        f"CPU time for a film of 10 s at {SIDE} px and {FPS} fps: label {middle - begin:.2f} s, mark {end - middle:.2f} s, together "
        f"{both:.2f} s (bar {ALLOWED_S} s). The mark makes the film {grown:+.0%} larger. Signing that film {times[0]:.2f} s, verifying it "
        f"{times[1]:.2f} s; a 60 s stereo wav {times[2]:.2f} s and {times[3]:.2f} s.",
        both < ALLOWED_S,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--clips", type=int, default=1000)
    arguments = parser.parse_args()
    photos = [SAMPLES / "mona_lisa.jpg"]
    if arguments.photos:
        photos += sorted(arguments.photos.glob("*.jpg"))[::4][:PHOTOS]
    portraits = {photo.stem: analyse(read_picture(photo)) for photo in photos}
    films = {name: rendered(portrait) for name, portrait in portraits.items()}
    first = next(iter(films.values()))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["XDG_CONFIG_HOME"] = str(folder / "config")
        parts = {
            "Delivered files": delivered(folder),
            "Tampering": tamper_table(first, folder),
            "The mark on its way": mark_table(films, folder),
            "The mark in other sizes": size_table(portraits, folder),
            "False alarms": false_alarms(films, arguments.clips),
            "Cost": costs(first, folder),
        }
    bars = {
        "outputs with a valid signature: 100 %": "Delivered files",
        "tampered found: 100 %": "Tampering",
        f"mark after H.264 CRF 23: >= {NEEDED_BITS} of {NUM_BITS} bits": "The mark on its way",
        "mark found in delivered films of 128 to 256 px: 100 %": "The mark in other sizes",
        f"false alarms <= {ALLOWED_RATE:.0e}": "False alarms",
        f"mark and label < {ALLOWED_S} s CPU per 10 s film": "Cost",
    }
    table = "\n".join(
        f"| {bar} | {'met' if parts[part][1] else 'NOT MET'} |" for bar, part in bars.items()
    )
    body = "# Provenance: signature, mark, label\n\n| bar | |\n| --- | --- |\n" + table
    body += "".join(f"\n\n## {title}\n\n{text}" for title, (text, _) in parts.items())
    print(json.dumps({bar: parts[part][1] for bar, part in bars.items()}, indent=2))
    command = "python benchmarks/provenance.py" + (" --photos FOLDER" if arguments.photos else "")
    write_result(
        "provenance",
        body,
        command=command,
        packages=("c2pa-python", "cryptography", "av", "opencv-python-headless", "numpy"),
    )


if __name__ == "__main__":
    main()
