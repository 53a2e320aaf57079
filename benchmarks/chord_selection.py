"""How real chord sequences move, and how sampled ones do: one draw, the best of 16, and controls.

python benchmarks/chord_selection.py data.root=../shared/data
"""

import sys
from pathlib import Path

import numpy as np
import torch
from result_file import write_result

from affetto.conditioning.emotion import emotion_condition
from affetto.emotion_bank.bank import request_to_track
from affetto.gen.music import selection
from affetto.gen.music.harmony import emotion_leaning
from affetto.gen.music.pipeline import load_models
from affetto.gen.music.selection import NUM_CANDIDATES, sample_chords, variety
from affetto.request import parse_request
from affetto.train.data.muvi_sync import read_muvi_sync

REQUESTS = ("happy", "sad", "angry", "calm", "excited", "tender", "neutral", "fearful")
SEEDS = range(8)
NAMES = ("distinct", "changing", "returning", "strangeness")


def row(name: str, sequences: list) -> str:
    values = np.array([[getattr(variety(one), key) for key in NAMES] for one in sequences])
    cells = " | ".join(
        f"{mean:.3f} ({spread:.3f})"
        for mean, spread in zip(values.mean(0), values.std(0), strict=True)
    )
    return f"| {name} | {len(sequences)} | {cells} |"


def sampled(num_candidates: int) -> list:
    """60 chords for each emotion and seed, the best of so many."""
    model, rows = load_models().chords, []
    selection.NUM_CANDIDATES = num_candidates
    for request in REQUESTS:
        track = request_to_track(parse_request(request), duration_s=60)
        inputs = {"emotion": emotion_condition(track, np.arange(60) + 0.5, rate_hz=1.0)}
        minor = float(track.vad[:, 0].mean()) < 0
        mode = "min" if minor else "maj"
        bias = emotion_leaning(inputs["emotion"].values[0, :, 0], mode=mode)
        rows += [sample_chords(model, inputs, bias, minor=minor, seed=seed) for seed in SEEDS]
    return rows


def main() -> None:
    torch.set_num_threads(1)
    root = (
        Path(sys.argv[1].partition("=")[2])
        if len(sys.argv) > 1
        else Path(__file__).parents[2] / "shared/data"
    )
    lines = [
        "# How chord sequences move",
        "",
        "60 steps each; mean (standard deviation). Sampled: 8 emotions x 8 seeds, no film.",
        "",
    ]
    lines += [
        "| sequences | n | " + " | ".join(NAMES) + " |",
        "| --- | --- | " + "--- | " * len(NAMES),
    ]
    for split in ("train", "test"):
        songs = [song.chords[song.chords > 0] for song in read_muvi_sync(root / "muvi_sync", split)]
        real = [song[20:80] for song in songs if len(song) > 90]
        lines.append(row(f"real songs, MuVi-Sync {split}", real))
    rng = np.random.default_rng(0)
    lines.append(
        row("control: the test songs' seconds shuffled", [rng.permutation(song) for song in real])
    )
    lines.append(row("control: one chord", [np.ones(60, dtype=int)]))
    lines.append(row("control: two chords in turn", [np.arange(60) // 2 % 2 + 1]))
    lines.append(row("sampled, one draw", sampled(1)))
    lines.append(row(f"sampled, best of {NUM_CANDIDATES} (used)", sampled(NUM_CANDIDATES)))
    write_result(
        "chord_selection",
        "\n".join(lines),
        command="python benchmarks/chord_selection.py data.root=DATA",
    )


if __name__ == "__main__":
    main()
