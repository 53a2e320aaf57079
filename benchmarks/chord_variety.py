"""How real chord sequences move, and how sampled ones do: one draw, the best of 16, and controls.

python benchmarks/chord_variety.py data.root=../shared/data
"""

import sys
from pathlib import Path

import numpy as np
import torch
from result_file import write_result

from affetto.emotion_bank.bank import request_to_track
from affetto.gen.music.keys import suggest_key
from affetto.gen.music.pipeline import NUM_CANDIDATES, load_models, sample_candidates
from affetto.gen.music.selection import most_song_like, variety
from affetto.gen.music.sync import plan_bars
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


def sampled() -> tuple[list, list]:
    models = load_models()
    single, best = [], []
    for request in REQUESTS:
        track = request_to_track(parse_request(request), duration_s=60)
        for seed in SEEDS:
            key = suggest_key(track, rng=np.random.default_rng(seed))
            drawn = sample_candidates(
                models.chords, {}, track, plan_bars(60, (), bpm=120), key, seed=seed
            )
            single.append(drawn[0])
            best.append(drawn[most_song_like(drawn)])
    return single, best


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
    single, best = sampled()
    lines.append(row("sampled, one draw", single))
    lines.append(row(f"sampled, best of {NUM_CANDIDATES} (used)", best))
    write_result(
        "chord_variety",
        "\n".join(lines),
        command="python benchmarks/chord_variety.py data.root=DATA",
    )


if __name__ == "__main__":
    main()
