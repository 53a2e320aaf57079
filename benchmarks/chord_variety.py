"""How many different chords a minute of generated music holds, beside real minutes.

    python benchmarks/chord_variety.py [--data ../shared/data]

Chooses the sampling settings: those whose variety is nearest to the validation songs'.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from result_file import write_result

from affetto.gen.music.chords import NO_CHORD
from affetto.gen.music.transformer import MusicTransformer, MusicTransformerConfig
from affetto.train.data.chord_batches import batch_of
from affetto.train.data.muvi_sync import read_muvi_sync
from affetto.weights import fill, load_weights

NUM_STEPS = 60
MAX_REPEAT = 4
SETTINGS = ((0.95, 1.0), (1.0, 1.0), (0.98, 1.1), (0.95, 1.15))  # top-p, temperature
NUM_SEEDS = 2


def row(name: str, minutes: Sequence[Sequence[int]]) -> str:
    counts = np.array([len(set(minute)) for minute in minutes])
    held = [np.mean(np.equal(minute[1:], minute[:-1])) for minute in minutes]
    low, middle, high = np.quantile(counts, [0.05, 0.5, 0.95])
    return (
        f"| {name} | {len(minutes)} | {counts.mean():.2f} | {low:.0f} / {middle:.0f} / {high:.0f} "
        f"| {np.mean(counts < 3):.3f} | {np.mean(held):.2f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    root = parser.parse_args().data / "muvi_sync"
    torch.set_num_threads(1)
    songs = read_muvi_sync(root, "val")
    real = [
        song.chords[start : start + NUM_STEPS].tolist()
        for song in songs
        for start in range(0, len(song.chords) - NUM_STEPS, NUM_STEPS)
    ]
    full = [minute for minute in real if NO_CHORD not in minute]
    lines = [
        "# Variety of generated chords",
        "",
        f"One minute ({NUM_STEPS} chords of a second) for each of the 75 films of MuVi-Sync's "
        f"validation split, {NUM_SEEDS} seeds, at most {MAX_REPEAT} equal chords in a row, N not "
        "allowed, no bias; real: the validation songs' minutes without N.",
        "",
        "| source | minutes | different chords, mean | 5 / 50 / 95 % | fewer than 3 | held |",
        "|" + " --- |" * 6,
        row("real songs", full),
    ]
    for name in ("music_chords", "music_chords_clean"):
        weights = load_weights(name)
        model = MusicTransformer(MusicTransformerConfig(**weights.config)).eval()
        fill(model, weights)
        batch = batch_of(songs, model.config.widths)
        for top_p, temperature in SETTINGS:
            minutes: list[list[int]] = []
            for seed in range(NUM_SEEDS):
                minutes += model.generate(
                    batch.conditions,
                    batch.minor,
                    NUM_STEPS,
                    generator=torch.Generator().manual_seed(seed),
                    top_p=top_p,
                    temperature=temperature,
                    max_repeat=MAX_REPEAT,
                ).tolist()
            lines.append(row(f"{name}, top-p {top_p}, temperature {temperature}", minutes))
    body = "\n".join(lines)
    print(body)
    write_result(
        "chord_variety", body, command="python benchmarks/chord_variety.py --data ../shared/data"
    )


if __name__ == "__main__":
    main()
