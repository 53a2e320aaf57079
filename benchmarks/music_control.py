"""Does a listener's stand-in hear the emotion that was asked? Swaps, sweeps and curves of mood.

The films are the first minute of MuVi-Sync's official test videos (what their pictures show, their
cuts; none of their music). `music_emotion_judge` (half B of VGMIDI's games), which no part of the
composer reads, judges the notes. Tuning looks at validation films through `music_emotion` instead:
`--tune`.

    OMP_NUM_THREADS=1 python benchmarks/music_control.py [--tune]
"""

import argparse
from dataclasses import dataclass, replace
from itertools import permutations
from pathlib import Path

import numpy as np
import torch
from result_file import write_result
from scipy.stats import spearmanr

from affetto.condition import Conditions, ConditionTrack
from affetto.emotion import EmotionTrack
from affetto.emotion_bank.bank import request_to_track
from affetto.gen.music.chord_sheet import ChordSheet
from affetto.gen.music.pipeline import ComposeOptions, MusicModels, compose, load_models
from affetto.recognizers.metrics import ccc
from affetto.recognizers.music.features import pitched_notes
from affetto.recognizers.music.recognizer import (
    MusicRecognizer,
    load_music_recognizer,
    recognize_music,
)
from affetto.request import parse_request
from affetto.soundtrack import Cut, Soundtrack
from affetto.train.data.muvi_sync import Song, read_muvi_sync

LENGTH_S = 60.0
CORNER = 0.6
SWEEP = np.linspace(-0.8, 0.8, 9)
QUADRANTS = ((0.6, 0.6), (-0.6, 0.6), (-0.6, -0.5), (0.5, -0.5))
AXES = ("valence", "arousal")
SHUFFLES = 20


@dataclass(frozen=True)
class Film:
    """What one video shows: conditions on a grid of 1 Hz, and its cuts."""

    name: str
    conditions: Conditions
    cuts: tuple[Cut, ...]


@dataclass(frozen=True)
class Stage:
    """Everything fixed: films, seeds, nets."""

    films: list[Film]
    seeds: range
    models: MusicModels
    judge: MusicRecognizer

    def play(self, film: Film, request: str, options: ComposeOptions) -> Soundtrack:
        """Compose one minute."""
        return compose(
            film.conditions, asked(request), film.cuts, duration_s=LENGTH_S, models=self.models,
            options=options,
        )  # fmt: skip

    def hear(self, piece: Soundtrack) -> EmotionTrack:
        """What the judge makes of it, second by second."""
        return recognize_music(
            pitched_notes(piece.parts), recognizer=self.judge, duration_s=LENGTH_S
        )

    def verdict(self, film: Film, valence: float, arousal: float, seed: int) -> np.ndarray:
        """(2,) mean judged valence and arousal of a piece asked for one feeling."""
        piece = self.play(film, f"va({valence:.2f},{arousal:.2f})", ComposeOptions(seed))
        return self.hear(piece).vad[:, :2].mean(axis=0)


def asked(request: str) -> EmotionTrack:
    return request_to_track(parse_request(request), duration_s=LENGTH_S)


def film_of(song: Song) -> Film:
    size = int(LENGTH_S)
    conditions = {
        name: ConditionTrack(
            torch.from_numpy(values[None, :size]), torch.ones(1, size, dtype=torch.bool), 1.0
        )
        for name, values in song.conditions.items()
    }
    offset = song.conditions["scene_offset"][:size, 0]
    cuts = tuple(Cut(float(t), 0.6) for t in range(1, size) if offset[t] < offset[t - 1])
    return Film(song.name, conditions, cuts)


def swaps(stage: Stage) -> list[str]:
    """The share of pairs, differing in one sign alone, in which the judge moves the right way."""
    corners = [(v, a) for v in (-CORNER, CORNER) for a in (-CORNER, CORNER)]
    heard = np.array(
        [
            [[stage.verdict(film, *corner, seed) for corner in corners] for seed in stage.seeds]
            for film in stage.films
        ]
    ).reshape(len(stage.films), len(stage.seeds), 2, 2, 2)  # film, seed, valence, arousal, axis
    valence = heard[:, :, 1, :, 0] - heard[:, :, 0, :, 0]  # film, seed, arousal low and high
    arousal = heard[:, :, :, 1, 1] - heard[:, :, :, 0, 1]
    rng = np.random.default_rng(0)
    lines = ["| swapped | pairs | the right way | of which with the other low, high | mean move |"]
    lines += ["| --- | --- | --- | --- | --- |"]
    for name, moves in zip(AXES, (valence, arousal), strict=True):
        low, high = (moves[:, :, side] for side in (0, 1))
        lines.append(
            f"| {name} | {moves.size} | {(moves > 0).mean():.1%} | {(low > 0).mean():.1%}, "
            f"{(high > 0).mean():.1%} | {moves.mean():+.2f} |"
        )
    flips = rng.choice([-1, 1], size=valence.shape)
    lines.append(
        f"| control: either, signs tossed | {valence.size} | {(valence * flips > 0).mean():.1%} |"
        f" | {(valence * flips).mean():+.2f} |"
    )
    crossed = heard[:, :, :, 1, 0] - heard[:, :, :, 0, 0]
    lines.append(
        f"| beside it: judged valence when arousal is swapped | {crossed.size} | "
        f"{(crossed > 0).mean():.1%} | | {crossed.mean():+.2f} |"
    )
    return lines


def sweeps(stage: Stage) -> list[str]:
    """Rank correlation of asked against judged over nine points, by film and seed."""
    lines = ["| swept | Spearman: mean over films and seeds | lowest | shuffled | judged means |"]
    lines += ["| --- | --- | --- | --- | --- |"]
    for axis, name in enumerate(AXES):
        points = [(x, 0.0) if axis == 0 else (0.0, x) for x in SWEEP]
        heard = np.array(
            [
                [stage.verdict(film, *point, seed)[axis] for point in points]
                for film in stage.films
                for seed in stage.seeds[:2]
            ]
        )
        found = np.array([spearmanr(SWEEP, row).statistic for row in heard])
        rng = np.random.default_rng(0)
        chance = np.mean([spearmanr(rng.permutation(SWEEP), row).statistic for row in heard])
        means = ", ".join(f"{value:+.2f}" for value in heard.mean(axis=0))
        lines.append(
            f"| {name} | {found.mean():.2f} | {found.min():.2f} | {chance:+.2f} | {means} |"
        )
    return lines


def course_of(order: tuple[int, ...]) -> str:
    """A minute with three changes of mood, each within two seconds."""
    words = [f"va({v},{a})" for v, a in (QUADRANTS[i] for i in order)]
    keyframes = [f"0={words[0]}"]
    for number in range(1, 4):
        edge_s = 15 * number
        keyframes += [f"{edge_s - 1}={words[number - 1]}", f"{edge_s + 1}={words[number]}"]
    return "; ".join(keyframes)


def still(piece: Soundtrack, key: str) -> ChordSheet:
    """The piece's sheet with the tonic alone."""
    return ChordSheet(key=key, steps=("C",) * len(piece.chords))


def curves(stage: Stage) -> list[str]:
    """Concordance of asked and judged curves, over all films together and film by film."""
    orders = list(permutations(range(4)))
    wanted, heard, constant = [], [], []
    for number, film in enumerate(stage.films):
        for seed in stage.seeds:
            order = orders[(5 * number + 7 * seed) % len(orders)]
            request, options = course_of(order), ComposeOptions(seed)
            piece = stage.play(film, request, options)
            track = stage.hear(piece)
            wanted.append(asked(request).at(track.times).vad[:, :2])
            heard.append(track.vad[:, :2])
            neutral = stage.play(film, "neutral", options)
            sheet = still(neutral, "C")
            flat = stage.play(film, "neutral", replace(options, chords=sheet))
            constant.append(stage.hear(flat).vad[:, :2])
    want, got, flat = (np.array(x) for x in (wanted, heard, constant))  # (N, T, 2)
    rng = np.random.default_rng(0)
    rows = {"as composed": got, "control: neutral, one chord throughout": flat}
    lines = ["| heard | valence, all | valence, by film | arousal, all | arousal, by film |"]
    lines += ["| --- | --- | --- | --- | --- |"]
    for name, values in rows.items():
        lines.append(_curve_row(name, want, values))
    mixed = [got[rng.permutation(len(got))] for _ in range(SHUFFLES)]
    figures = np.mean([_curve_figures(want, values) for values in mixed], axis=0)
    lines.append(f"| control: another piece's, {SHUFFLES} shuffles | " + _cells(figures) + " |")
    return lines


def _curve_figures(want: np.ndarray, got: np.ndarray) -> list[float]:
    figures = []
    for axis in (0, 1):
        figures.append(ccc(want[..., axis].ravel(), got[..., axis].ravel()))
        pairs = zip(want[..., axis], got[..., axis], strict=True)
        figures.append(float(np.mean([ccc(*pair) for pair in pairs])))
    return figures


def _cells(figures: list[float]) -> str:
    return " | ".join(f"{figure:.2f}" for figure in figures)


def _curve_row(name: str, want: np.ndarray, got: np.ndarray) -> str:
    return f"| {name} | {_cells(_curve_figures(want, got))} |"


def main() -> None:
    """Measure and write the result file; while tuning only print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--tune", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    songs = read_muvi_sync(given.data / "muvi_sync", "val" if given.tune else "test")
    songs = [song for song in songs if len(song.chords) >= LENGTH_S]
    films = [film_of(song) for song in songs[:: len(songs) // 10][:10]]
    stage = Stage(
        films[:4] if given.tune else films,
        range(2) if given.tune else range(5),
        load_models(),
        load_music_recognizer("music_emotion" if given.tune else "music_emotion_judge"),
    )
    lines = [*swaps(stage), "", *sweeps(stage), "", *curves(stage)]
    if given.tune:
        print("\n".join(lines))
        return
    head = [
        "# Does the judge hear the emotion that was asked?",
        "",
        "The first minute of ten MuVi-Sync test films, five seeds. The judge was trained on half B "
        "of VGMIDI's games and is read by no part of the composer; bars: 95 % of swaps, Spearman "
        ".8, concordance .5. A piece's judgement is the mean over its seconds.",
        "",
    ]
    command = "OMP_NUM_THREADS=1 python benchmarks/music_control.py"
    write_result("music_control", "\n".join([*head, *lines]), command=command)


if __name__ == "__main__":
    main()
