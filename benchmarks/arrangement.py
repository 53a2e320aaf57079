"""Does the arrangement sound every chord tone, follow the asked density and suit the feeling?

Chords, density, loudness, emotion and cuts are those of MuVi-Sync's official test split, on
Video2Music's own grid (tempo 120, one chord a second); the moods are played on one fixed film.
Run: python benchmarks/arrangement.py [--data-root FOLDER]
"""

import argparse
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from result_file import write_result
from scipy.stats import spearmanr

from affetto.emotion import EMBEDDING_DIM, LABEL_VAD, LABELS, EmotionTrack
from affetto.gen.music.arrange import INSTRUMENTS, arrange, notes_sounding
from affetto.gen.music.chords import chord_symbol, pitch_classes
from affetto.soundtrack import Bar, ChordSpan, Cut, Dynamics, Part
from affetto.train.data.muvi_sync import Song, read_muvi_sync

DATA = Path(__file__).parents[2] / "shared" / "data"
SEED = 20261122
MOODS = ("happy", "excited", "tender", "calm", "sad", "fearful", "angry")
PROGRESSION = ("A:min", "F:maj7", "C", "G", "D:min7", "G#:dim7", "E:7", "A:min")
SMOOTH_S = 5


def emotion_track(values: np.ndarray) -> EmotionTrack:
    """(T, 14) condition values at 1 Hz as a track."""
    size = len(values)
    blank = np.zeros((size, EMBEDDING_DIM), np.float32)
    return EmotionTrack(
        times=np.arange(size, dtype=np.float32) + 0.5, mean=blank, log_var=blank,
        vad=values[:, :3].astype(np.float32), vad_var=np.full((size, 3), 0.1, np.float32),
        probs=values[:, 3:].astype(np.float32), confidence=np.ones(size, np.float32), kind="evoked",
    )  # fmt: skip


def play_song(song: Song, density: np.ndarray, seed: int) -> tuple[Part, ...]:
    """One song's chords, a second each, in bars of two seconds."""
    size = len(song.chords)
    edges = [*range(0, size - size % 2 - 1, 2), size]
    bars = tuple(Bar(float(a), float(b), 4) for a, b in pairwise(edges))
    chords = tuple(ChordSpan(t, t + 1.0, chord_symbol(int(c))) for t, c in enumerate(song.chords))
    times_s = np.arange(size) + 0.5
    offset = song.conditions["scene_offset"][:, 0]
    cuts = [Cut(float(t), 0.6) for t in range(1, size) if offset[t] < offset[t - 1]]
    return arrange(
        chords, bars, Dynamics(times_s, density.astype(float), song.loudness.astype(float)),
        emotion_track(song.conditions["emotion"]), cuts=cuts, seed=seed,
    )  # fmt: skip


def lost_tones(song: Song, parts: Sequence[Part]) -> np.ndarray:
    """(3,) four-tone seconds, of these those that miss a tone, and those that miss the fourth."""
    sounding = [set() for _ in song.chords]
    for part in parts:
        for note in () if part.is_drum else part.notes:
            for second in range(int(note.start_s), min(len(sounding) - 1, int(note.end_s)) + 1):
                if min(note.end_s, second + 1) - max(note.start_s, second) > 0.03:
                    sounding[second].add(note.pitch % 12)
    counts = np.zeros(3)
    for chord, heard in zip(song.chords, sounding, strict=True):
        classes = pitch_classes(int(chord))
        if len(classes) == 4:
            counts += (1, not set(classes) <= heard, classes[3] not in heard)
    return counts


def smooth(values: np.ndarray) -> np.ndarray:
    """Running mean over `SMOOTH_S` seconds."""
    return np.convolve(values, np.full(SMOOTH_S, 1 / SMOOTH_S), "valid")


def follow(songs: Sequence[Song]) -> str:
    """Chord tones and density on the test split, as Markdown."""
    lost = np.zeros(3)
    rows: dict[str, list[tuple[float, float]]] = {"asked": [], "shuffled": []}
    means = []
    cpu_s = 0.0
    for number, song in enumerate(songs):
        density = song.density.astype(float)
        started = time.process_time()
        parts = play_song(song, density, SEED + number)
        cpu_s += time.process_time() - started
        lost += lost_tones(song, parts)
        counts = notes_sounding(parts, len(song.chords))
        means.append((density.mean(), counts.mean()))
        other = np.random.default_rng(number).permutation(density)
        for name, course in (("asked", density), ("shuffled", other)):
            if course.std() > 0:
                rows[name].append(
                    (
                        spearmanr(counts, course).statistic,
                        spearmanr(smooth(counts), smooth(course)).statistic,
                    )
                )
    across = spearmanr(*np.array(means).T).statistic
    seconds = sum(len(s.chords) for s in songs)
    body = [
        f"{len(songs)} songs, {seconds} s of music, {cpu_s:.1f} CPU s "
        f"({cpu_s / seconds * 7200:.1f} CPU s for two hours).",
        "",
        "| chord tones, four-tone seconds | seconds | miss a tone | miss the seventh or sixth |",
        "| --- | --- | --- | --- |",
        f"| this arrangement | {lost[0]:.0f} | {lost[1] / lost[0]:.1%} | {lost[2] / lost[0]:.1%} |",
        "| Video2Music's arpeggio (measured before on its test songs) | 1628 | 69 % | 17 % |",
        "",
        f"| density: Spearman, median over songs | per second | means of {SMOOTH_S} s |",
        "| --- | --- | --- |",
    ]
    names = {"asked": "sounding against asked", "shuffled": "control: against asked, shuffled"}
    for name, text in names.items():
        second, five = np.median(np.array(rows[name]), axis=0)
        body.append(f"| {text} | {second:.3f} | {five:.3f} |")
    asked, got = np.array(means).mean(axis=0)
    body += [
        "",
        f"Between songs, mean asked against mean sounding: Spearman {across:.3f}; on average "
        f"{asked:.1f} asked and {got:.1f} sounding (a band with drums is allowed up to 1.7 times).",
    ]
    return "\n".join(body)


def fixed_film(label: str, density: float) -> tuple[tuple[Part, ...], float]:
    """24 bars at 96 beats a minute, the same chords, loudness and density for every mood."""
    length_s = 2.5
    bars = tuple(Bar(i * length_s, (i + 1) * length_s, 4) for i in range(24))
    half_s = length_s / 2
    chords = tuple(
        ChordSpan(i * half_s, (i + 1) * half_s, PROGRESSION[(i // 2) % len(PROGRESSION)])
        for i in range(48)
    )
    probs = np.full(len(LABELS), 0.3 / (len(LABELS) - 1))
    probs[LABELS.index(label)] = 0.7
    values = np.tile(np.concatenate([LABEL_VAD[label], probs]), (60, 1))
    times_s = np.arange(60) + 0.5
    course = Dynamics(times_s, np.full(60, density), np.full(60, 0.17))
    return arrange(chords, bars, course, emotion_track(values), seed=SEED), bars[-1].end_s


def moods() -> str:
    """What each mood does to the same chords, as Markdown."""
    lines = [
        "| feeling | instruments | pitch, mean | velocity, mean | notes/s | drum strokes/s "
        "| note length, beats | sounding at 5 / 10 / 15 / 20 asked |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for label in MOODS:
        parts, end_s = fixed_film(label, 10.0)
        pitched = [n for p in parts if not p.is_drum for n in p.notes]
        drums = [n for p in parts if INSTRUMENTS[p.name].role == "drums" for n in p.notes]
        every = [n for p in parts for n in p.notes]
        levels = [
            notes_sounding(parts_, end).mean()
            for parts_, end in (fixed_film(label, d) for d in (5.0, 10.0, 15.0, 20.0))
        ]
        lines.append(
            f"| {label} | {', '.join(p.name for p in parts)} "
            f"| {np.mean([n.pitch for n in pitched]):.1f} "
            f"| {np.mean([n.velocity for n in every]):.0f} | {len(every) / end_s:.1f} "
            f"| {len(drums) / end_s:.1f} "
            f"| {np.mean([n.end_s - n.start_s for n in pitched]) / 0.625:.2f} "
            f"| {' / '.join(f'{level:.1f}' for level in levels)} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure and write the result file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", type=Path, default=DATA)
    root = parser.parse_args().data_root
    songs = read_muvi_sync(root / "muvi_sync", "test")
    body = (
        "# Arrangement\n\n"
        f"{__doc__.splitlines()[0]} Seed {SEED}. MuVi-Sync official test split, first 300 s of each "
        "song; a second counts as sounding what it meets for 30 ms or more. Tied, held and repeated "
        "notes all count once a second.\n\n"
        f"{follow(songs)}\n\n## The same film (chords, tempo 96, loudness 0.17, density 10) in seven "
        f"feelings\n\n{moods()}"
    )
    write_result(
        "arrangement", body, command="python benchmarks/arrangement.py", packages=("numpy", "scipy")
    )


if __name__ == "__main__":
    main()
